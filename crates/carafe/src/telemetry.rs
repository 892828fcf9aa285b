//! The log: lines for people on standard error.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

/// What is logged where nothing is said.
pub const LEVEL: &str = "info";

/// Starts the log. `level` is a level such as `debug`, or a filter such as
/// `info,carafe_web=debug`. Field values are quoted and escaped, so an event stays on its line
/// whatever a request holds.
///
/// # Errors
///
/// Where `level` is no filter.
pub fn start(level: &str) -> Result<()> {
    let filter = EnvFilter::builder()
        .parse(level)
        .with_context(|| format!("the log level {level:?} is not known"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start, in tests, keeps the first log.
    let _ = log
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
    Ok(())
}
