//! The `carafe` program.

use std::process::ExitCode;

use carafe::args::Args;
use carafe::command;
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command::run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", command::report(&error));
            ExitCode::FAILURE
        }
    }
}
