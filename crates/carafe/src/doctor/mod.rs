//! What is well with a deployment, what is not, and what to do about it.

mod database;
mod disk;
mod finding;
mod place;

pub(crate) use finding::{Finding, Level};

use anyhow::Result;
use carafe_model::schema::Schema;
use carafe_web::pages::site::Site;
use std::sync::Arc;

use crate::application;
use crate::args::Serve;
use crate::command::report;
use crate::config::{DECLARATION, DatabaseConfig};
use crate::initial::Initial;
use crate::settings::Setting;

/// Looks at everything that a server with these settings depends on. Nothing is made or changed.
pub(crate) async fn examine(args: &Serve, settings: &[Setting]) -> Vec<Finding> {
    let (declaration, schema) = match read(args) {
        Ok(schema) => {
            let text = format!("{DECLARATION} is fine");
            (Finding::ok("declaration", text), Some(schema))
        }
        Err(error) => {
            let advice = "`carafe check` shows the same";
            let finding = Finding::error("declaration", report(&error), advice);
            (finding, None)
        }
    };
    let mut findings = vec![declaration];
    findings.extend(place::examine(args, settings));
    findings.extend(database::examine(args, schema.as_ref()).await);
    if let Some(file) = DatabaseConfig::from(&args.database).file() {
        findings.extend(disk::examine(&file));
    }
    findings
}

fn read(args: &Serve) -> Result<Arc<Schema>> {
    let schema = application::read_schema(args.folder())?;
    Initial::read(&schema)?;
    Site::open(&schema, Some(args.folder()))?;
    Ok(schema)
}
