//! `carafe completions`

use std::io::Write;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::args::Args;

/// Prints the script by which `shell` completes commands and options.
pub(super) fn run(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    generate(shell, &mut Args::command(), "carafe", &mut script);
    std::io::stdout()
        .write_all(&script)
        .context("write the script")
}
