//! The `carafe` program.

use std::path::Path;
use std::process::ExitCode;

use carafe::args::Args;
use carafe::{command, memory, settings};
use clap::{CommandFactory, FromArgMatches};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    memory::in_small_pages();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", command::report(&error));
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let (matches, settings) = settings::read(Args::command(), Path::new("."))?;
    command::run(Args::from_arg_matches(&matches)?, &settings)
}
