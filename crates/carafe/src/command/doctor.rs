//! `carafe doctor`

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::args::OfServe;
use crate::command::table;
use crate::doctor::{self, Finding, Level};
use crate::settings::Setting;

/// Says what is well with a deployment, what is not, and what to do.
pub(super) fn run(args: &OfServe, settings: &[Setting]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start")?;
    let findings = runtime.block_on(doctor::examine(&args.serve, settings));
    match args.json {
        true => println!("{:#}", findings.iter().map(to_json).collect::<Value>()),
        false => print(&findings),
    }
    let errors = findings
        .iter()
        .filter(|finding| finding.level == Level::Error);
    match errors.count() {
        0 => Ok(()),
        1 => bail!("a server with these settings cannot do its work: 1 error"),
        errors => bail!("a server with these settings cannot do its work: {errors} errors"),
    }
}

fn print(findings: &[Finding]) {
    let mut table = table::new();
    table.set_header(["", "What", "Finding", "What to do"]);
    for Finding {
        level,
        subject,
        text,
        advice,
    } in findings
    {
        table.add_row([level.as_str(), subject, text, advice]);
    }
    println!("{table}");
}

fn to_json(finding: &Finding) -> Value {
    json!({
        "level": finding.level.as_str(),
        "subject": finding.subject,
        "text": finding.text,
        "advice": finding.advice,
    })
}
