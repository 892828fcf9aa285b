//! Measures Carafe beside the limits of the machine and beside its peers, in one run.
//!
//! `goals` has what is to be reached, a file for each group; the rest is what measures it:
//! `client` loads a `server`, `bare` and `commit` are the limits, `fixture` has the databases.

mod args;
mod ask;
mod bare;
mod bench;
mod client;
mod commit;
mod fixture;
mod goals;
mod instructions;
mod machine;
mod note;
mod peer;
mod plot;
mod postgres;
mod processor;
mod report;
mod sample;
mod server;
mod training;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.bare {
        Some(told) => bare::serve(told, args.bare_port).map(|()| true),
        None => goals::run(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
