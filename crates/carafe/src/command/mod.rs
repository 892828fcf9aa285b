//! The commands, one file each.

pub(crate) mod backup;
mod check;
mod completions;
mod config;
mod doctor;
mod import;
mod inspect;
mod man;
pub(crate) mod migrate;
mod new;
mod openapi;
mod opened;
mod record;
pub(crate) mod serve;
mod table;
mod transfer;

use anyhow::Result;
use carafe_service::error::Error;

use crate::app::App;
use crate::args::{Args, Command};
use crate::settings::Setting;

/// Runs the command that `args` names.
///
/// # Errors
///
/// What went wrong, for [`report`].
pub fn run(args: Args, settings: &[Setting]) -> Result<()> {
    match args.command {
        Command::New { folder } => new::run(&folder),
        Command::Check { folder } => check::run(&folder),
        Command::Migrate(args) => migrate::run(&args),
        Command::Serve(args) => serve::run(App::from_file(args.folder())?, &args),
        Command::Config(args) => config::run(&args, settings),
        Command::Openapi(args) => openapi::run(&args),
        Command::Doctor(args) => doctor::run(&args, settings),
        Command::Inspect(args) => inspect::run(&args),
        Command::Move(args) => transfer::run(&args),
        Command::List(list) => record::list(&list),
        Command::Get {
            target,
            key,
            output,
        } => record::get(&target, &key, &output),
        Command::Create {
            target,
            values,
            output,
        } => record::create(&target, &values, &output),
        Command::Update {
            target,
            key,
            values,
            output,
        } => record::update(&target, &key, &values, &output),
        Command::Delete { target, key } => record::delete(&target, &key),
        Command::Import(args) => import::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => match args.record() {
            Some((target, key, output)) => record::restore(&target, key, &output),
            None => backup::restore(&args),
        },
        Command::Completions { shell } => completions::run(shell),
        Command::Man { folder } => man::run(&folder),
    }
}

/// An error for the person at the terminal: what, then why.
#[must_use]
pub fn report(error: &anyhow::Error) -> String {
    let text = error.to_string();
    // A report of mistakes in the declaration begins with its own `error:`.
    let mut report = if text.contains("error") && text.contains("-->") {
        text
    } else {
        format!("error: {text}")
    };
    for cause in error.chain().skip(1) {
        report.push_str(&format!("\n  {}", cause.to_string().replace('\n', "\n  ")));
    }
    report
}

/// Why the service refused, with every fault on a line of its own where there are several.
#[must_use]
pub fn faults(error: &Error) -> String {
    match error {
        Error::Invalid(faults) | Error::Empty(faults) | Error::Taken(faults) => faults
            .iter()
            .map(|fault| fault.message.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        Error::Referenced { label_plural, .. } => format!("{label_plural} refer to this record"),
        Error::ParentDeleted { label, .. } => format!("its {label} is deleted"),
        Error::NotFound { .. } | Error::KeyReused | Error::Stale | Error::Forbidden => {
            error.to_string()
        }
        Error::Full(cause) | Error::Unavailable(cause) | Error::Internal(cause) => {
            format!("{error}: {cause}")
        }
    }
}
