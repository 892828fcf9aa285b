//! `carafe openapi`

use std::io::Write;

use anyhow::{Context, Result};
use carafe_web::openapi;

use crate::application;
use crate::args::Openapi;

/// Prints the OpenAPI document of an application, indented for people, or writes it to a file.
pub(super) fn run(args: &Openapi) -> Result<()> {
    let schema = application::read_schema(&args.folder)?;
    let document = openapi::document(&schema, args.public_url.as_deref());
    let mut text = serde_json::to_string_pretty(&document).context("write the document")?;
    text.push('\n');
    match &args.output {
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
            println!("Wrote {}", path.display());
            Ok(())
        }
        None => match std::io::stdout().write_all(text.as_bytes()) {
            // Whoever reads it has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context("write the document"),
        },
    }
}
