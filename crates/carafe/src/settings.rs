//! Where settings come from: an option, else the environment, else a file `.env` in the folder,
//! else a default. The options of a command, with their variables and defaults, are what settings
//! there are: nothing is listed here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use carafe_model::near::nearest_within;
use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, ValueHint};

use crate::config;

/// The file in an application's folder that settings may be in.
pub const FILE: &str = ".env";

/// A setting in force.
#[derive(Debug)]
pub struct Setting {
    /// That of the option, without the dashes: `public-url`.
    pub name: String,
    /// The environment variable.
    pub variable: String,
    /// As text, with secrets masked; `None` where nothing is set.
    pub value: Option<String>,
    pub source: Source,
    /// Nobody else may read it.
    pub is_secret: bool,
}

/// Where the value of a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Option,
    Environment,
    File,
    Default,
}

/// Reads the options of this process, and with them the settings of the command that they name.
/// Its folder is `home` unless an argument says another one.
///
/// A mistake in the options ends the process with exit code 2, `--help` and `--version` with 0.
///
/// # Errors
///
/// Where `.env` or a value of a variable is malformed.
pub fn read(command: Command, home: &Path) -> Result<(ArgMatches, Vec<Setting>)> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let first = match command.clone().try_get_matches_from(&words) {
        Ok(matches) => matches,
        Err(error) => return Err(blame(&command, &words, error)),
    };
    let name = first.subcommand_name();
    let (chosen, matches) = level(&command, &first, name);
    let known: Vec<Arg> = with_variables(chosen).cloned().collect();
    if known.is_empty() {
        return Ok((first, Vec::new()));
    }
    let given: Option<&PathBuf> = matches.try_get_one("folder").ok().flatten();
    let folder = given.map_or(home, PathBuf::as_path);
    let file = read_file(folder)?;
    warn_of_near_misses(&command, &file);

    // Parsed once more with what is in the file as defaults: what is said elsewhere wins over it.
    let mut defaults = Vec::new();
    for argument in &known {
        let said = matches.value_source(argument.get_id().as_str());
        if matches!(said, None | Some(ValueSource::DefaultValue))
            && let Some(text) = default(argument, &file)?
        {
            defaults.push((argument.get_id().clone(), beside(folder, argument, text)));
        }
    }
    let set_all = |command: Command| {
        defaults.into_iter().fold(command, |command, (id, text)| {
            command.mut_arg(id, |argument| argument.default_value(text))
        })
    };
    let command = match name {
        Some(name) => command.mut_subcommand(name, set_all),
        None => set_all(command),
    };
    let second = command.clone().get_matches_from(&words);
    let (_, matches) = level(&command, &second, name);
    let settings = known
        .iter()
        .map(|argument| Setting::of(argument, matches, &file))
        .collect();
    Ok((second, settings))
}

/// The command that is run, the program itself where it has none, and what was said to it.
fn level<'a>(
    command: &'a Command,
    matches: &'a ArgMatches,
    name: Option<&str>,
) -> (&'a Command, &'a ArgMatches) {
    let below = name.and_then(|name| {
        Some((
            command.find_subcommand(name)?,
            matches.subcommand_matches(name)?,
        ))
    });
    below.unwrap_or((command, matches))
}

fn with_variables(command: &Command) -> impl Iterator<Item = &Arg> {
    let arguments = command.get_arguments();
    arguments.filter(|argument| argument.get_env().is_some())
}

fn variable(argument: &Arg) -> String {
    let name = argument.get_env().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What `.env` in `folder` says, empty without one.
fn read_file(folder: &Path) -> Result<BTreeMap<String, String>> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let pairs =
        dotenvy::from_path_iter(&path).with_context(|| format!("read {}", path.display()))?;
    pairs
        .map(|pair| pair.map_err(|error| malformed(&path, error)))
        .collect()
}

/// A line that cannot be read is told by its name: its value may be a secret.
fn malformed(path: &Path, error: dotenvy::Error) -> anyhow::Error {
    let place = path.display();
    match error {
        dotenvy::Error::LineParse(line, _) => {
            let name = line.split('=').next().unwrap_or_default().trim();
            let name: String = name.chars().take(60).collect();
            anyhow!(
                "the line of {place} that begins with {name:?} cannot be read\n\n\
                 hint: it is NAME=value; a value with spaces, quotes or # stands in single quotes"
            )
        }
        error => anyhow::Error::from(error).context(format!("read {place}")),
    }
}

/// Other programs may have variables in the file; one that is ours but for a typing error has no
/// effect, which is easily overlooked.
fn warn_of_near_misses(program: &Command, file: &BTreeMap<String, String>) {
    let commands = std::iter::once(program).chain(program.get_subcommands());
    let known: Vec<String> = commands.flat_map(with_variables).map(variable).collect();
    for name in file.keys().filter(|name| !known.contains(name)) {
        if let Some(near) = nearest_within(1, name, known.iter().map(String::as_str)) {
            eprintln!("warning: {name} in {FILE} is no setting; did you mean {near}?");
        }
    }
}

/// The value of the file, else the option's own default.
fn default(argument: &Arg, file: &BTreeMap<String, String>) -> Result<Option<String>> {
    let name = variable(argument);
    let Some(text) = file.get(&name) else {
        let own = argument.get_default_values().first();
        return Ok(own.map(|text| text.to_string_lossy().into_owned()));
    };
    check(argument.get_value_parser(), text)
        .map_err(|reason| complain(argument, FILE, text, &reason))?;
    Ok(Some(text.clone()))
}

/// A relative path of the file, or of a default, starts in the folder.
fn beside(folder: &Path, argument: &Arg, text: String) -> String {
    match text.strip_prefix("sqlite:") {
        Some(":memory:") => text,
        Some(path) => format!("sqlite:{}", folder.join(path).display()),
        None if is_path(argument) => folder.join(text).display().to_string(),
        None => text,
    }
}

fn is_path(argument: &Arg) -> bool {
    matches!(
        argument.get_value_hint(),
        ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath
    )
}

/// Parses `text` as an option's value, and says why it cannot be.
fn check(parser: &ValueParser, text: &str) -> Result<(), String> {
    let value = Arg::new("value")
        .allow_hyphen_values(true)
        .value_parser(parser.clone());
    let alone = Command::new("value").no_binary_name(true).arg(value);
    match alone.try_get_matches_from([text]) {
        Ok(_) => Ok(()),
        Err(error) => Err(reason(&error)),
    }
}

fn reason(error: &clap::Error) -> String {
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue)
        && !values.is_empty()
    {
        return format!("it must be {}", values.join(" or "));
    }
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.kind().to_string(), ToString::to_string)
}

fn complain(argument: &Arg, place: &str, text: &str, reason: &str) -> anyhow::Error {
    let name = variable(argument);
    match argument.is_hide_env_values_set() {
        true => anyhow!("{name} in {place} cannot be used: {reason}"),
        false => anyhow!("{name} in {place} is {text:?}: {reason}"),
    }
}

/// A value that cannot be of a variable in the environment is an error that names it; everything
/// else is about the options, and ends the process.
fn blame(program: &Command, words: &[OsString], error: clap::Error) -> anyhow::Error {
    let is_value = matches!(
        error.kind(),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation
    );
    let (Some(ContextValue::String(shown)), Some(ContextValue::String(text)), true) = (
        error.get(ContextKind::InvalidArg),
        error.get(ContextKind::InvalidValue),
        is_value,
    ) else {
        error.exit();
    };
    let commands = std::iter::once(program).chain(program.get_subcommands());
    let option = shown.split(' ').next().unwrap_or_default();
    let is_meant = |argument: &&Arg| {
        let long = argument.get_long();
        long.is_some_and(|long| option.strip_prefix("--") == Some(long))
    };
    let Some(argument) = commands.flat_map(with_variables).find(is_meant) else {
        error.exit();
    };
    let is_said = words
        .iter()
        .any(|word| word.to_string_lossy().split('=').next() == Some(option));
    match (is_said, argument.is_hide_env_values_set()) {
        (false, _) => complain(argument, "the environment", text, &reason(&error)),
        (true, true) => {
            eprintln!("error: {shown} cannot be used: {}", reason(&error));
            std::process::exit(2)
        }
        (true, false) => error.exit(),
    }
}

impl Setting {
    fn of(argument: &Arg, matches: &ArgMatches, file: &BTreeMap<String, String>) -> Self {
        let id = argument.get_id().as_str();
        let variable = variable(argument);
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Source::Option,
            Some(ValueSource::EnvVariable) => Source::Environment,
            _ if file.contains_key(&variable) => Source::File,
            _ => Source::Default,
        };
        let value = matches.get_raw(id).and_then(|mut values| values.next());
        let value = value.map(|value| value.to_string_lossy().into_owned());
        Self {
            name: argument.get_long().unwrap_or(id).to_owned(),
            value: match argument.is_hide_env_values_set() {
                true => value.map(|value| config::masked(&value)),
                false => value,
            },
            variable,
            source,
            is_secret: argument.is_hide_env_values_set(),
        }
    }

    /// Where the value comes from, for people: `--port`, `PORT`, `.env` or `default`.
    #[must_use]
    pub fn origin(&self) -> String {
        match self.source {
            Source::Option => format!("--{}", self.name),
            Source::Environment => self.variable.clone(),
            Source::File => FILE.to_owned(),
            Source::Default => "default".to_owned(),
        }
    }
}
