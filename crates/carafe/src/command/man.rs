//! `carafe man`

use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::args::Args;

/// Writes `carafe.1` and a page for each command, `carafe-serve.1`, to `folder`.
pub(super) fn run(folder: &Path) -> Result<()> {
    let place = || format!("write manual pages to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(place)?;
    clap_mangen::generate_to(Args::command(), folder).with_context(place)?;
    println!("Wrote {}", folder.join("carafe.1").display());
    Ok(())
}
