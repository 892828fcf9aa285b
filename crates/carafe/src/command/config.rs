//! `carafe config`

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::args::{OfServe, Serve};
use crate::command::table;
use crate::config;
use crate::settings::Setting;

/// Prints every setting of a server: its value in force, and where that comes from.
pub(super) fn run(args: &OfServe, settings: &[Setting]) -> Result<()> {
    let folder = args.serve.folder();
    if !folder.is_dir() {
        bail!("there is no folder {}", folder.display());
    }
    if args.json {
        let settings: Vec<Value> = settings.iter().map(to_json).collect();
        println!("{:#}", Value::from(settings));
        return Ok(());
    }
    let mut table = table::new();
    table.set_header(["Setting", "Value", "From"]);
    for setting in settings {
        table.add_row([
            setting.name.clone(),
            shown(&args.serve, setting),
            setting.origin(),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn shown(args: &Serve, setting: &Setting) -> String {
    let implied = match (setting.name.as_str(), config::key_file(args)) {
        ("log-format", _) => args
            .log_format()
            .to_possible_value()
            .map(|value| value.get_name().to_owned()),
        ("secret-key", Some(path)) if !args.is_production() => {
            Some(format!("kept in {}", path.display()))
        }
        _ => None,
    };
    let value = setting.value.clone();
    value.or(implied).unwrap_or_else(|| "none".to_owned())
}

fn to_json(setting: &Setting) -> Value {
    json!({
        "name": setting.name,
        "variable": setting.variable,
        "value": setting.value,
        "from": setting.origin(),
    })
}
