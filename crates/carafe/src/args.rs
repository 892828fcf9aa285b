//! The command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use carafe_web::forwarded::Proxies;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config;
use crate::export::sentry::Dsn;
use crate::telemetry::{self, LogFormat};

/// Declare your nouns; HTTP gives you the verbs.
///
/// Carafe serves the resources that the file carafe.toml declares: a JSON API for programs,
/// pages for people, one database behind both.
#[derive(Debug, Parser)]
#[command(name = "carafe", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  carafe new shop                         make a folder with a first declaration
  carafe serve shop                       serve it on http://127.0.0.1:5000
  carafe migrate shop --plan              show what a change of the declaration does to the database
  carafe openapi shop                     print its OpenAPI document
  carafe check shop                       say what is wrong with the declaration
  carafe inspect sqlite:old.db            sketch a declaration from another program's tables
  carafe create notes title=Milk content='Two litres'
  carafe import notes notes.ndjson        load records, one JSON object a line
  carafe list notes --sort=-created_at    see the records, newest first";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a folder with a first declaration
    New {
        /// The folder to make; it may be there already, its files are never overwritten
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Check the declaration and report every mistake in it
    ///
    /// Nothing is opened or changed. The exit code is 1 where there are mistakes.
    Check {
        /// The folder with carafe.toml
        #[arg(value_name = "DIR", default_value = ".")]
        folder: PathBuf,
    },
    /// Serve the API and the pages
    ///
    /// Every option can also come from the environment variable named beside it, or from a
    /// file .env in the folder; an option wins over the environment, which wins over .env.
    Serve(Serve),
    /// Print the settings in force, and where each value comes from
    ///
    /// It takes the options of `carafe serve` and looks at the environment and at the file .env in
    /// the folder, as that does. Secrets are not shown, nor are passwords in URLs.
    Config(OfServe),
    /// Check a deployment, and say what to do
    ///
    /// It takes the options of `carafe serve` and looks at everything that a server with them
    /// depends on: declaration, keys, certificate, database, tables, files, disk. Nothing is made
    /// or changed, and a server may run meanwhile. The exit code is 1 where a server could not do
    /// its work.
    Doctor(OfServe),
    /// Print the OpenAPI document of the API
    ///
    /// It is what the server answers at /api/openapi.json: every operation, parameter, status and
    /// body. Clients and types in most languages can be made from it. No database is opened.
    #[command(after_help = OPENAPI_EXAMPLES)]
    Openapi(Openapi),
    /// Bring the tables of the database to what the declaration says
    ///
    /// Migrations in the folder migrations/ that the database has not seen are applied first, in
    /// the order of their names. What the declaration says beyond them is done then, and written
    /// down there as a new one: read it, keep it with the declaration, and apply it elsewhere.
    /// All is done in one transaction, or nothing.
    ///
    /// A field or resource that has a new name says what it was: was = \"old_name\".
    Migrate(Migrate),
    /// Write a declaration from the tables of an existing database
    ///
    /// The tables may have been made by any program; nothing in the database is changed. What has
    /// no counterpart in a declaration is left out or renamed, and said in a comment right there.
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(Inspect),
    /// Copy an application with all its data to another database
    ///
    /// Every record is copied with its id, key and version, also those that were deleted, with
    /// passwords, history and the requests that are remembered: from SQLite to PostgreSQL, the
    /// other way, or between two of one kind. The tables of the target are made, and it must have
    /// no records of these resources. All rows are read again and compared before anything
    /// counts; if something goes wrong, the target has nothing of it. The source is never
    /// changed.
    ///
    /// No server may run on either database meanwhile: what it writes to the source after the
    /// start is not copied.
    #[command(after_help = MOVE_EXAMPLES)]
    Move(Move),
    /// Show records in a table
    List(List),
    /// Show one record
    Get {
        #[command(flatten)]
        target: Target,
        /// The record's key
        key: String,
        #[command(flatten)]
        output: Output,
    },
    /// Create a record
    Create {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        values: Values,
        #[command(flatten)]
        output: Output,
    },
    /// Change fields of a record; the others stay
    Update {
        #[command(flatten)]
        target: Target,
        /// The record's key
        key: String,
        #[command(flatten)]
        values: Values,
        #[command(flatten)]
        output: Output,
    },
    /// Delete a record, softly or for good as the declaration says
    Delete {
        #[command(flatten)]
        target: Target,
        /// The record's key
        key: String,
    },
    /// Load records from a file, one JSON object a line (NDJSON)
    ///
    /// The rules are those of a POST: the same checks and defaults, times that the server sets,
    /// history and search. Keys are taken where clients name them; other keys and times that
    /// stand in a line are passed over. Blank lines are skipped.
    ///
    /// All lines are stored in one transaction, or none is: every line with a fault is named then
    /// with what is wrong with it. A server may run meanwhile; on SQLite its writes wait.
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Write all of a SQLite database into one file, while a server uses it or not
    ///
    /// The file is of the moment at which the command began, and checked before it gets its name:
    /// a backup that is there is whole.
    Backup(Backup),
    /// Bring back a backup, or a record that was deleted softly
    ///
    /// A backup takes the place of the database, while no server runs. It is checked first, and
    /// what was there is kept under another name.
    ///
    /// A record comes back with what its deletion took along.
    #[command(override_usage = RESTORE_USAGE)]
    Restore(Restore),
    /// Print a script that has a shell complete commands and options
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write the manual pages, one a command
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// The folder to write to, made if it is not there; pages of before are replaced
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

const IMPORT_EXAMPLES: &str = r#"Examples:
  carafe import notes notes.ndjson
  carafe import notes notes.ndjson --dry-run
  carafe import notes - -C shop < notes.ndjson
  sqlite3 old.db "SELECT json_object('title', name) FROM items" | carafe import notes -
  psql -qAtc 'SELECT row_to_json(t) FROM items AS t' | carafe import notes -

A line: {"title": "Milk", "content": "Two litres"}"#;

#[derive(Debug, ClapArgs)]
pub struct Import {
    #[command(flatten)]
    pub target: Target,
    /// The file, - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Check all lines, by the database too, and store nothing
    #[arg(long)]
    pub dry_run: bool,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  carafe completions bash > ~/.local/share/bash-completion/completions/carafe
  carafe completions fish > ~/.config/fish/completions/carafe.fish
  carafe completions zsh > /usr/local/share/zsh/site-functions/_carafe";

const MAN_EXAMPLES: &str = "\
Examples:
  carafe man ~/.local/share/man/man1";

const RESTORE_USAGE: &str = "\
carafe restore [OPTIONS] <FILE>
       carafe restore [OPTIONS] <RESOURCE> <KEY>";

#[derive(Debug, ClapArgs)]
pub struct Backup {
    /// The file to write
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Take the place of a file of that name
    #[arg(long)]
    pub force: bool,
    /// The folder with carafe.toml
    #[arg(short = 'C', long = "dir", value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Debug, ClapArgs)]
pub struct Restore {
    /// A backup; with a key, the resource of a record
    #[arg(value_name = "FILE")]
    pub subject: String,
    /// The record's key
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Take the place of a database that is there, which is kept under another name
    #[arg(long, conflicts_with = "key")]
    pub force: bool,
    /// The folder with carafe.toml
    #[arg(short = 'C', long = "dir", value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The kind of place; in production, tables that are not what the declaration says are refused
    #[arg(long, env = "CARAFE_ENV", value_enum, default_value_t = Place::Development)]
    pub env: Place,
    /// Print the record as JSON as the API answers it, in place of a table
    #[arg(long, requires = "key")]
    pub json: bool,
}

impl Restore {
    /// The record that is meant, where one is.
    pub(crate) fn record(&self) -> Option<(Target, &str, Output)> {
        let target = Target {
            resource: self.subject.clone(),
            folder: self.folder.clone(),
            database: self.database.clone(),
            env: self.env,
        };
        let key = self.key.as_deref()?;
        Some((target, key, Output { json: self.json }))
    }
}

const OPENAPI_EXAMPLES: &str = "\
Examples:
  carafe openapi shop --output shop.json
  carafe openapi shop --public-url https://shop.example.org";

#[derive(Debug, ClapArgs)]
pub struct Openapi {
    /// The folder with carafe.toml
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// The address that clients see, scheme and host
    #[arg(long, env = "PUBLIC_URL", value_name = "URL", value_parser = config::public_url)]
    pub public_url: Option<String>,
    /// A file for the document, in place of standard output; one that is there is replaced
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

const INSPECT_EXAMPLES: &str = "\
Examples:
  carafe inspect sqlite:old.db
  carafe inspect sqlite:old.db --output shop/carafe.toml
  carafe inspect postgres://ann@localhost/shop

Of PostgreSQL, the tables of the schema that is first in the user's search_path are read;
?options=-csearch_path%3Dsales behind the URL names another one.";

#[derive(Debug, ClapArgs)]
pub struct Inspect {
    /// The database: sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE
    pub url: String,
    /// A new file for the declaration, in place of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

const MOVE_EXAMPLES: &str = "\
Examples:
  carafe move --from sqlite:shop/data.db --to postgres://ann@localhost/shop shop
  carafe move --from postgres://ann@localhost/shop --to sqlite:copy.db shop";

#[derive(Debug, ClapArgs)]
pub struct Move {
    /// The database to copy: sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// The database to fill, new or without records; a file is made if it is not there
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// The folder with carafe.toml
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
}

/// The settings of a server. Each has an option, a variable and perhaps a default; `settings`
/// finds what is in force.
#[derive(Debug, ClapArgs)]
pub struct Serve {
    /// The folder with carafe.toml [default: .]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// The address to listen on
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// The port to listen on, 0 for any that is free
    #[arg(long, env = "PORT", default_value_t = 5000)]
    pub port: u16,
    /// The address that clients see where a proxy stands in front, scheme and host
    #[arg(long, env = "PUBLIC_URL", value_name = "URL", value_parser = config::public_url)]
    pub public_url: Option<String>,
    /// The server's certificate, a PEM file; with it, only https is spoken, and SIGHUP reads the
    /// files again
    #[arg(long, env = "TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, a PEM file
    #[arg(long, env = "TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Connections at once; more wait in the system's queue
    #[arg(
        long,
        env = "MAX_CONNECTIONS",
        value_name = "NUMBER",
        default_value = "4096",
        value_parser = config::at_least_one
    )]
    pub max_connections: usize,
    /// Seconds that requests in flight get to finish in when the server stops
    #[arg(long, env = "DRAIN_TIME", value_name = "SECONDS", default_value_t = 30)]
    pub drain_time: u32,
    /// Seconds between "not ready" and the end of listening when the server stops, for a load
    /// balancer to notice
    #[arg(long, env = "STOP_DELAY", value_name = "SECONDS", default_value_t = 0)]
    pub stop_delay: u32,
    /// Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: addresses and networks
    /// with commas between, such as 127.0.0.1,10.0.0.0/8
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "NETWORKS")]
    pub trusted_proxies: Option<Proxies>,
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// A streaming replica of a database on PostgreSQL, which what only reads may go to; a client
    /// reads its own writes all the same
    #[arg(
        long,
        env = "READ_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub read_database: Option<String>,
    /// The kind of place; production starts only with a secret key of its own
    #[arg(long, env = "CARAFE_ENV", value_enum, default_value_t = Place::Development)]
    pub env: Place,
    /// Apply pending migrations at the start, which production refuses without
    #[arg(long, env = "CARAFE_MIGRATE")]
    pub migrate: bool,
    /// The key that signs cookies [default: made at first start and kept in secret.key]
    #[arg(long, env = "SECRET_KEY", value_name = "TEXT", hide_env_values = true)]
    pub secret_key: Option<String>,
    /// Take the place of the secret key that servers on this PostgreSQL database had until now
    #[arg(long, env = "NEW_SECRET_KEY")]
    pub new_secret_key: bool,
    /// A folder for backups of the SQLite database, which are made while it is served
    #[arg(long, env = "BACKUP_FOLDER", value_name = "DIR")]
    pub backup_folder: Option<PathBuf>,
    /// How long after a backup the next one is made, with s, m, h or d
    #[arg(
        long,
        env = "BACKUP_EVERY",
        value_name = "TIME",
        default_value = "24h",
        value_parser = config::interval
    )]
    pub backup_every: Duration,
    /// How many backups stay in the folder; older ones are deleted
    #[arg(
        long,
        env = "BACKUP_KEEP",
        value_name = "NUMBER",
        default_value = "7",
        value_parser = config::at_least_one
    )]
    pub backup_keep: usize,
    /// What to log: error, warn, info, debug or trace
    #[arg(
        long,
        env = "LOG_LEVEL",
        value_name = "LEVEL",
        default_value = telemetry::LEVEL,
        value_parser = config::log_level
    )]
    pub log_level: String,
    /// How to log [default: json in production, else text]
    #[arg(long, env = "LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// From how many milliseconds on a statement of the database is logged as slow, 0 for never
    #[arg(
        long,
        env = "SLOW_QUERY",
        value_name = "MILLISECONDS",
        default_value_t = 500
    )]
    pub slow_query: u64,
    /// An address and port to answer Prometheus at, such as 127.0.0.1:9100; never one that
    /// clients reach
    #[arg(long, env = "METRICS", value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
    /// A collector of OpenTelemetry that traces are sent to, such as http://127.0.0.1:4318
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub otlp_endpoint: Option<String>,
    /// Header fields for the collector, such as a key: NAME=VALUE, with commas between
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        value_name = "FIELDS",
        hide_env_values = true
    )]
    pub otlp_headers: Option<String>,
    /// What the server is called in traces [default: the name of the application]
    #[arg(long, env = "OTEL_SERVICE_NAME", value_name = "NAME")]
    pub service_name: Option<String>,
    /// A project of Sentry that errors of the server are reported to: https://KEY@HOST/PROJECT
    #[arg(long, env = "SENTRY_DSN", value_name = "DSN", hide_env_values = true)]
    pub sentry_dsn: Option<Dsn>,
}

impl Serve {
    /// The folder with the declaration.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or(Path::new("."))
    }

    #[must_use]
    pub fn is_production(&self) -> bool {
        self.env == Place::Production
    }

    /// From when a statement is slow; `None` for never.
    #[must_use]
    pub fn slow_query(&self) -> Option<Duration> {
        (self.slow_query > 0).then(|| Duration::from_millis(self.slow_query))
    }

    #[must_use]
    pub fn log_format(&self) -> LogFormat {
        let implied = match self.env {
            Place::Production => LogFormat::Json,
            Place::Development => LogFormat::Text,
        };
        self.log_format.unwrap_or(implied)
    }
}

/// What is asked of the settings of a server.
#[derive(Debug, ClapArgs)]
pub struct OfServe {
    #[command(flatten)]
    pub serve: Serve,
    /// Print JSON in place of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Migrate {
    /// The folder with carafe.toml
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Show the steps with their SQL, what loses data and what locks a large table, and change
    /// nothing
    #[arg(long, conflicts_with_all = ["undo", "accept_loss"])]
    pub plan: bool,
    /// Take the last migration back; values that it has dropped stay gone
    #[arg(long, conflicts_with = "accept_loss")]
    pub undo: bool,
    /// Also drop fields and tables that are declared no more, with their values
    #[arg(long)]
    pub accept_loss: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct DatabaseArgs {
    /// The database: sqlite:PATH, sqlite::memory: or postgres://USER:PASSWORD@HOST/DATABASE. A
    /// relative path starts where you are, that of the default beside carafe.toml
    #[arg(
        long,
        env = "DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        default_value = "sqlite:data.db",
        value_parser = config::database_url
    )]
    pub database: String,
    /// When a write is answered
    #[arg(long, env = "DURABILITY", value_enum, default_value_t = Durability::Full)]
    pub durability: Durability,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Place {
    /// A machine of a developer: what is missing is made
    Development,
    /// A server for others: what is missing is refused
    Production,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// After it is on disk: a power cut loses nothing that was answered
    Full,
    /// Before it is on disk: faster, but a power cut can lose the last answered writes and
    /// give their ids to other records
    Normal,
}

/// Which resource of which folder a command is about.
#[derive(Debug, ClapArgs)]
pub struct Target {
    /// The resource, as the declaration names it
    pub resource: String,
    /// The folder with carafe.toml
    #[arg(short = 'C', long = "dir", value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The kind of place; in production, tables that are not what the declaration says are refused
    #[arg(long, env = "CARAFE_ENV", value_enum, default_value_t = Place::Development)]
    pub env: Place,
}

#[derive(Debug, ClapArgs)]
pub struct List {
    #[command(flatten)]
    pub target: Target,
    /// Only records that match, as in a URL: pages__gte=100, title__contains=milk
    #[arg(value_name = "FIELD=VALUE")]
    pub filters: Vec<String>,
    /// Fields to sort by, with commas between; - in front for descending
    #[arg(long, value_name = "FIELDS", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// Only records with this text in their search fields
    #[arg(short, long, value_name = "TEXT")]
    pub q: Option<String>,
    /// The page to show, from 1
    #[arg(long, value_name = "NUMBER")]
    pub page: Option<u64>,
    /// Records on a page
    #[arg(long, value_name = "NUMBER")]
    pub per_page: Option<u64>,
    /// Those that were deleted softly, in place of the others
    #[arg(long)]
    pub deleted: bool,
    #[command(flatten)]
    pub output: Output,
}

/// The values of a record.
#[derive(Debug, ClapArgs)]
pub struct Values {
    /// Values of fields: title=Milk is_pinned=true; of a document, its name and its members
    #[arg(value_name = "FIELD=VALUE")]
    pub values: Vec<String>,
    /// Values as a JSON object, - to read it from standard input
    #[arg(long, value_name = "JSON")]
    pub data: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub struct Output {
    /// Print JSON as the API answers it, in place of a table
    #[arg(long)]
    pub json: bool,
}
