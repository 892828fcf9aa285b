//! An application opened for a command about one of its resources.

use anyhow::{Context, Result, anyhow};
use carafe_model::near::nearest;
use carafe_model::resource::Resource;
use carafe_service::hook::Hooks;
use carafe_service::service::Service;
use carafe_store::store::Database;

use crate::application::{self, Tables};
use crate::args::{Place, Target};
use crate::command::faults;
use crate::config::DatabaseConfig;
use crate::migrations;

/// An application opened for one command.
pub(super) struct Opened {
    runtime: tokio::runtime::Runtime,
    database: Database,
    pub(super) service: Service,
    position: usize,
}

impl Opened {
    pub(super) fn open(target: &Target) -> Result<Self> {
        let schema = application::read_schema(&target.folder)?;
        let position = schema
            .resource(&target.resource)
            .map(|resource| resource.index);
        let position = position.ok_or_else(|| {
            let known = schema
                .resources
                .iter()
                .map(|resource| resource.name.as_str());
            let hint = nearest(&target.resource, known)
                .map(|near| format!("; did you mean {near}?"))
                .unwrap_or_default();
            anyhow!("there is no resource {:?}{hint}", target.resource)
        })?;
        let config = DatabaseConfig::from(&target.database);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start")?;
        let database = application::open(&config)?;
        let (service, migrated) = runtime.block_on(async {
            let files = migrations::read(&target.folder)?;
            let tables = match target.env {
                Place::Production => Tables::Check,
                Place::Development => Tables::Make,
            };
            application::prepare(&database, &schema, &Hooks::default(), &files, tables).await
        })?;
        for change in migrated.changes {
            eprintln!("{change}");
        }
        Ok(Self {
            runtime,
            database,
            service,
            position,
        })
    }

    pub(super) fn resource(&self) -> &Resource {
        &self.service.schema().resources[self.position]
    }

    /// Runs one verb, then closes the database.
    pub(super) fn run<T>(
        &self,
        verb: impl Future<Output = carafe_service::error::Result<T>>,
    ) -> Result<T> {
        let done = self
            .runtime
            .block_on(verb)
            .map_err(|error| anyhow!(faults(&error)));
        self.runtime.block_on(self.database.close());
        done
    }
}
