//! The goals, a file for each group, and the run over all that are asked for.

mod deep;
mod import;
mod peers;
mod postgres;
mod reads;
mod scale;
mod search;
mod start;
mod workloads;
mod writes;

pub(crate) use reads::fetch;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::args::Args;
use crate::bench::Bench;
use crate::fixture::Fixture;
use crate::machine::Machine;
use crate::{instructions, peer, plot, processor, report, training};

/// Measures the goals of a group that are asked for.
type Measure = fn(&Bench<'_>) -> Result<()>;

/// Measures what is asked for, and whether all goals among it are met.
pub(crate) fn run(args: &Args) -> Result<bool> {
    std::fs::create_dir_all(&args.out)?;
    let out = args.out.canonicalize()?;
    let carafe = match &args.carafe {
        Some(path) => path
            .canonicalize()
            .with_context(|| format!("find {}", path.display()))?,
        None if args.instructions => build_release()?,
        None => build_shipped()?,
    };
    if !processor::are_two() {
        eprintln!("There is one processor only: client and server take turns on it.");
    }
    let fixture = Fixture {
        carafe,
        folder: out.clone(),
    };
    if args.train {
        return training::run(&fixture).map(|()| true);
    }
    if args.instructions {
        return instructions::run(&fixture, args.record);
    }
    let bench = Bench::new(args, fixture);
    let groups: &[(&[&str], Measure)] = &[
        (&["P1", "P2", "P3", "P4", "P14"], reads::measure),
        (&["P5"], deep::measure),
        (&["P6", "P7", "P7s", "P8", "P9"], writes::measure),
        (&["P10"], search::measure),
        (&["P11"], scale::measure),
        (&["P12"], postgres::measure),
        (&["P13"], import::measure),
        (&["P15"], start::measure),
        (&["P16"], peers::measure),
        (&["workloads"], workloads::measure),
    ];
    for (names, measure) in groups {
        if names.iter().any(|name| args.wants(name)) {
            measure(&bench)?;
        }
    }
    let lines = bench.into_lines();
    let machine = Machine::read(&out, peer::versions())?;
    println!("{}", report::table(&lines));
    report::write_json(&out.join("report.json"), &machine, &lines)?;
    std::fs::write(out.join("report.svg"), plot::svg(&lines))?;
    println!("Also in {}: report.json, report.svg", out.display());
    Ok(lines.iter().all(|line| line.is_met() != Some(false)))
}

/// The repository.
pub(crate) fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Builds the program whose instructions are recorded.
fn build_release() -> Result<PathBuf> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--package", "carafe"]);
    let status = command.current_dir(workspace()).status()?;
    if !status.success() {
        bail!("carafe was not built: {status}");
    }
    // This program lies in `TARGET/release` or another profile's folder.
    let program = std::env::current_exe()?;
    let target = program
        .ancestors()
        .nth(2)
        .context("find the target folder")?;
    Ok(target.join("release/carafe"))
}

/// Builds the program as it is shipped.
fn build_shipped() -> Result<PathBuf> {
    let mut command = Command::new(workspace().join("scripts/dist"));
    let built = command.stderr(Stdio::inherit()).output()?;
    if !built.status.success() {
        bail!("carafe was not built: {}", built.status);
    }
    let path = String::from_utf8(built.stdout).context("read the path of what was built")?;
    Ok(PathBuf::from(path.trim()))
}
