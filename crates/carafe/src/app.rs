//! An application with code of its own: a declaration, routes beside Carafe's, and hooks around
//! writes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use axum::Router;
use carafe_model::near::nearest;
use carafe_model::schema::Schema;
use carafe_service::error::Error;
use carafe_service::hook::{Hooks, Work, Write, Written};
use carafe_service::service::Service;
use carafe_store::store::{Database, Durability, Migrated};
use carafe_web::layers::Connection;
use carafe_web::pages::site::Site;
use carafe_web::sign::SecretKey;
use clap::{Args as _, FromArgMatches as _};

use crate::application::{self, Tables};
use crate::args;
use crate::client::Client;
use crate::command::{report, serve};
use crate::config::{self, DECLARATION, DatabaseConfig};
use crate::memory;
use crate::migrations;
use crate::routes::Served;
use crate::settings;
use crate::watch::Watch;

/// An application: what its declaration says, and the code that goes with it.
///
/// ```no_run
/// use carafe::axum::{Router, routing::get};
///
/// fn main() -> std::process::ExitCode {
///     let app = carafe::App::from_file("shop").and_then(|app| {
///         app.routes(Router::new().route("/ping", get(async || "pong")))
///             .before("orders", |write| {
///                 Box::pin(async move {
///                     match write.get("note") {
///                         Some(carafe::Value::Text(note)) if note.contains("http") => {
///                             Err(write.refuse("note", "must not have links"))
///                         }
///                         _ => Ok(()),
///                     }
///                 })
///             })
///     });
///     carafe::run(app)
/// }
/// ```
pub struct App {
    pub(crate) folder: PathBuf,
    pub(crate) schema: Arc<Schema>,
    pub(crate) hooks: Hooks,
    pub(crate) routes: Option<Router<Service>>,
    /// Resources that the code asks for by name.
    needs: Vec<String>,
    /// Sees changes since the files were read.
    pub(crate) watch: Watch,
}

impl App {
    /// Reads a declaration: `path` is a `carafe.toml`, or the folder with one, whose files
    /// (first records, templates, pages) belong to the application.
    ///
    /// # Errors
    ///
    /// Where there is none, and with a report of every mistake in it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let folder = match path.file_name() {
            Some(name) if name == DECLARATION => path.parent().unwrap_or(Path::new("")),
            _ => path,
        };
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        // Before the files are read: what changes from now on is taken up.
        let watch = Watch::new(folder);
        Ok(Self {
            folder: folder.to_owned(),
            schema: application::read_schema(folder)?,
            hooks: Hooks::default(),
            routes: None,
            needs: Vec::new(),
            watch,
        })
    }

    /// What the declaration says.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Says that the code asks for the records of `resource`, so that a declaration without it,
    /// also one that is taken up later, is refused at once.
    ///
    /// # Errors
    ///
    /// Where the declaration has no such resource.
    pub fn needs(mut self, resource: &str) -> Result<Self> {
        require(&self.schema, resource)?;
        self.needs.push(resource.to_owned());
        Ok(self)
    }

    /// Adds routes, which get the service as their state. They go before Carafe's own, and have
    /// the same limits, header fields and request ids; a panic in one is an internal error of
    /// its request. Refuse by [`Refusal`](crate::Refusal) to answer as Carafe does.
    #[must_use]
    pub fn routes(mut self, routes: Router<Service>) -> Self {
        self.routes = Some(match self.routes.take() {
            Some(known) => known.merge(routes),
            None => routes,
        });
        self
    }

    /// Has `hook` look at each write of records of `resource` before it is done, whichever way
    /// it comes. It may change values ([`Write::set`]) and refuse the write by an error
    /// ([`Write::refuse`]). Hooks run in the order in which they are given; a write that loses
    /// a race is made anew, with its hooks. What a deletion takes along is not shown to them.
    ///
    /// # Errors
    ///
    /// Where the declaration has no such resource.
    pub fn before<F>(mut self, resource: &str, hook: F) -> Result<Self>
    where
        F: for<'a> Fn(&'a mut Write) -> Work<'a, Result<(), Error>> + Send + Sync + 'static,
    {
        require(&self.schema, resource)?;
        self.hooks.before(resource, hook);
        Ok(self)
    }

    /// Tells `hook` of each write of records of `resource` once it is on disk, before it is
    /// answered.
    ///
    /// # Errors
    ///
    /// Where the declaration has no such resource.
    pub fn after<F>(mut self, resource: &str, hook: F) -> Result<Self>
    where
        F: for<'a> Fn(&'a Written) -> Work<'a, ()> + Send + Sync + 'static,
    {
        require(&self.schema, resource)?;
        self.hooks.after(resource, hook);
        Ok(self)
    }

    /// The service over a database, with first records and hooks, and without a server:
    /// `sqlite:PATH`, `postgres://…`, or `sqlite::memory:` for tests.
    ///
    /// # Errors
    ///
    /// Where the database cannot be opened, its tables cannot be made to fit without losing
    /// data, or first records are not accepted.
    pub async fn service(&self, database: &str) -> Result<Service> {
        let database = application::open(&DatabaseConfig {
            url: database.to_owned(),
            durability: Durability::Full,
        })?;
        let (service, _) = self.prepare(&database, Tables::Make).await?;
        Ok(service)
    }

    pub(crate) async fn prepare(
        &self,
        database: &Database,
        tables: Tables,
    ) -> Result<(Service, Migrated)> {
        let files = migrations::read(&self.folder)?;
        application::prepare(database, &self.schema, &self.hooks, &files, tables).await
    }

    /// A client that calls the application in this process, over a database as for
    /// [`service`](Self::service): every route and header field, and no socket.
    ///
    /// # Errors
    ///
    /// As [`service`](Self::service), and where a template or page cannot be used.
    pub async fn client(&self, database: &str) -> Result<Client> {
        let key = config::random_key()?;
        Ok(Client::new(self.served(database, &key).await?))
    }

    /// The application as a router of axum's, to be a part of another program. Signed cookies
    /// hold as long as `secret_key` (32 bytes or more) is the same.
    ///
    /// # Errors
    ///
    /// As [`client`](Self::client), and for a key that is too short.
    pub async fn into_router(self, database: &str, secret_key: &[u8]) -> Result<Router> {
        Ok(self.served(database, secret_key).await?.into_router())
    }

    async fn served(&self, database: &str, secret_key: &[u8]) -> Result<Served> {
        let key = SecretKey::new(secret_key).map_err(|error| anyhow!("{error}"))?;
        let site = Site::open(&self.schema, Some(&self.folder))?;
        let service = self.service(database).await?;
        let app = carafe_web::app::App::new(service, site, key, None);
        Ok(Served::new(app, self.routes.as_ref()))
    }

    /// The same code over the declaration as it is now in `folder`.
    pub(crate) fn over(&self, folder: &Path) -> Result<Self> {
        let read = Self::from_file(folder)?;
        let needs = self.needs.iter().map(String::as_str);
        for resource in self.hooks.resources().chain(needs) {
            require(&read.schema, resource)?;
        }
        Ok(Self {
            needs: self.needs.clone(),
            hooks: self.hooks.clone(),
            routes: self.routes.clone(),
            ..read
        })
    }
}

/// Runs an application as `carafe serve` does: with its options on the command line, in the
/// environment and in `.env`, until Ctrl-C or SIGTERM. Errors go to standard error, with exit
/// code 1.
#[must_use]
pub fn run(app: Result<App>) -> ExitCode {
    memory::in_small_pages();
    match app.and_then(parse_and_serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", report(&error));
            ExitCode::FAILURE
        }
    }
}

fn parse_and_serve(app: App) -> Result<()> {
    let about = format!("Serves {}: its API and its pages", app.schema.name);
    let folder = format!(
        "The folder with carafe.toml [default: {}]",
        app.folder.display()
    );
    let command = args::Serve::augment_args(clap::Command::new("application"))
        // In place of what is said of the options as such.
        .about(about)
        .long_about(None)
        .mut_arg("folder", |argument| argument.help(folder));
    let (matches, _) = settings::read(command, &app.folder)?;
    let mut args = args::Serve::from_arg_matches(&matches).context("read the options")?;
    let app = match &args.folder {
        Some(folder) => app.over(folder)?,
        None => app,
    };
    args.folder = Some(app.folder.clone());
    serve::run(app, &args)
}

fn require(schema: &Schema, resource: &str) -> Result<()> {
    if schema.resource(resource).is_some() {
        return Ok(());
    }
    let known = schema
        .resources
        .iter()
        .map(|resource| resource.name.as_str());
    match nearest(resource, known) {
        Some(near) => bail!("there is no resource {resource:?}; did you mean {near:?}?"),
        None => bail!("there is no resource {resource:?}"),
    }
}

/// A request that has come over no connection.
pub(crate) const IN_PROCESS: Connection = Connection {
    secure: false,
    local: None,
    client: None,
};
