//! An application's folder, read and made ready to serve.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use carafe_model::declaration;
use carafe_model::problem;
use carafe_model::schema::Schema;
use carafe_service::clock::Clock;
use carafe_service::hook::Hooks;
use carafe_service::service::Service;
use carafe_store::error::Error as StoreError;
use carafe_store::store::{Accept, Database, Migrated, Migration, Options, Plan, Store, untold};

use crate::command::migrate;
use crate::config::{DECLARATION, DatabaseConfig};
use crate::initial::Initial;

/// Reads the declaration in `folder`.
///
/// # Errors
///
/// Where there is none, and with a report of every mistake in it.
pub fn read_schema(folder: &Path) -> Result<Arc<Schema>> {
    let path = folder.join(DECLARATION);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(anyhow!(
                "there is no {DECLARATION} in {}\n\nhint: `carafe new {}` makes a first one",
                folder.display(),
                folder.display()
            ));
        }
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let absolute =
        std::path::absolute(folder).with_context(|| format!("find {}", folder.display()))?;
    match declaration::parse(&text, &absolute) {
        Ok(schema) => Ok(Arc::new(schema)),
        Err(problems) => {
            let color = std::io::stderr().is_terminal();
            Err(anyhow!(problem::render(
                &problems,
                &path.display().to_string(),
                &text,
                color
            )))
        }
    }
}

/// Opens the database.
///
/// # Errors
///
/// Where it cannot be opened.
pub fn open(config: &DatabaseConfig) -> Result<Database> {
    open_with(config, None)
}

/// The same for a server: a statement that takes longer than `slow_query` is told of in the log.
///
/// # Errors
///
/// Where it cannot be opened.
pub fn open_with(config: &DatabaseConfig, slow_query: Option<Duration>) -> Result<Database> {
    let options = Options {
        durability: config.durability,
        slow_query,
    };
    let opened = Database::open_with(&config.url, options);
    opened
        .map_err(explain)
        .with_context(|| format!("open the database {}", config.place()))
}

/// What is done where the tables do not fit the declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// They are made to fit, as far as no data is lost.
    Make,
    /// Nothing: it is an error.
    Check,
}

/// Makes the tables fit `schema`, after the migrations of `files`, loads first records into those that never had one, and gives
/// the service over them, with the application's code around its writes.
///
/// # Errors
///
/// Where the tables cannot be made to fit without losing data, and where first records are
/// not accepted; nothing is changed then.
pub async fn prepare(
    database: &Database,
    schema: &Arc<Schema>,
    hooks: &Hooks,
    files: &[Migration],
    tables: Tables,
) -> Result<(Service, Migrated)> {
    let initial = Initial::read(schema)?;
    let migrated = match tables {
        Tables::Make => {
            database
                .migrate(schema, files, Accept::Safe, &untold())
                .await
        }
        Tables::Check => {
            let plan = database
                .plan(schema, files, &untold())
                .await
                .map_err(explain)?;
            refuse_pending(&plan)?;
            Ok(Migrated::default())
        }
    };
    let migrated = migrated.map_err(explain)?;
    let service = Service::new(
        schema.clone(),
        Store::new(database.clone(), schema),
        Clock::System,
    );
    let names = database.migration_names().await.map_err(explain)?;
    let service = service
        .with_hooks(Arc::new(hooks.clone()))
        .with_migrations(names);
    initial.load(&service).await?;
    Ok((service, migrated))
}

/// Refuses to go on while something is to be done that a migration would do.
fn refuse_pending(plan: &Plan) -> Result<()> {
    if plan.is_empty() {
        return Ok(());
    }
    let lines: String = pending(plan)
        .iter()
        .map(|line| format!("\n  - {line}"))
        .collect();
    bail!(
        "the database is not what the declaration says:{lines}\n\n\
         hint: `carafe migrate --plan` shows the SQL, `carafe migrate` applies it; \
         `carafe serve --migrate` applies it at the start"
    )
}

/// What a migration would do, a line each.
pub(crate) fn pending(plan: &Plan) -> Vec<String> {
    let files = plan.files.iter();
    let files = files.map(|file| format!("apply migrations/{}.sql", file.name));
    let steps = plan.steps.iter().filter(|step| !step.loses_data);
    let steps = steps.map(|step| migrate::to_do(&step.title));
    let differences = plan.differences.iter().cloned();
    files.chain(steps).chain(differences).collect()
}

/// A store's error for the person who operates the server: with its cause.
pub fn explain(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Incompatible(differences) => {
            let lines: String = differences
                .iter()
                .map(|line| format!("\n  - {line}"))
                .collect();
            anyhow!(
                "the database does not fit the declaration, and making it fit could lose data:{lines}"
            )
        }
        other => other.into(),
    }
}
