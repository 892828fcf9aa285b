//! `carafe check`

use std::path::Path;

use anyhow::Result;
use carafe_web::pages::site::Site;

use crate::application;
use crate::config::DECLARATION;
use crate::initial::Initial;

/// Reports every mistake in the declaration, then in the first records, the templates and the
/// pages; opens no database.
pub(super) fn run(folder: &Path) -> Result<()> {
    let schema = application::read_schema(folder)?;
    Initial::read(&schema)?;
    Site::open(&schema, Some(folder))?;
    let fields: usize = schema
        .resources
        .iter()
        .map(|resource| resource.fields.len())
        .sum();
    println!(
        "{} is fine: {} with {} in all",
        folder.join(DECLARATION).display(),
        count(schema.resources.len(), "resource"),
        count(fields, "field")
    );
    Ok(())
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
