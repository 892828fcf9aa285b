//! First records: JSON files that are loaded once, into a resource that never had a record.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use carafe_model::actor::Actor;
use carafe_model::draft::Input;
use carafe_model::key::Key;
use carafe_model::resource::Resource;
use carafe_model::schema::{Limits, Schema};
use carafe_service::service::Service;
use carafe_web::json;
use serde_json::value::RawValue;

use crate::command::faults;

/// The first records of an application, read and checked before any table is made.
pub struct Initial {
    sets: Vec<Set>,
}

struct Set {
    /// Position of the resource.
    resource: usize,
    path: PathBuf,
    /// Documents have their keys from the file.
    records: Vec<(Option<Key>, Input)>,
}

impl Initial {
    /// Reads the file of every resource that has one.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, is no JSON array of objects, or holds a record that the
    /// resource does not accept; with every fault of the file.
    pub fn read(schema: &Schema) -> Result<Self> {
        let mut sets = Vec::new();
        for resource in &schema.resources {
            if let Some(path) = &resource.initial {
                let records = read_file(resource, path)
                    .with_context(|| format!("first records in {}", path.display()))?;
                sets.push(Set {
                    resource: resource.index,
                    path: path.clone(),
                    records,
                });
            }
        }
        Ok(Self { sets })
    }

    /// Creates the records of the resources that never had one, for each all or none.
    ///
    /// # Errors
    ///
    /// Where one is refused, such as for a unique value that stands twice in the file.
    pub async fn load(self, service: &Service) -> Result<()> {
        for set in self.sets {
            let resource = &service.schema().resources[set.resource];
            let created = service
                .create_first(&Actor::Operator, resource, set.records)
                .await;
            created.map_err(|error| {
                anyhow!(
                    "first records in {}: {}",
                    set.path.display(),
                    faults(&error)
                )
            })?;
        }
        Ok(())
    }
}

fn read_file(resource: &Resource, path: &Path) -> Result<Vec<(Option<Key>, Input)>> {
    let text = std::fs::read_to_string(path).context("the file cannot be read")?;
    let items = match &resource.members {
        None => records(resource, &text)?,
        Some(_) => documents(resource, &text)?,
    };
    let mut mistakes = Vec::new();
    let mut read = Vec::with_capacity(items.len());
    for (place, item) in items {
        match item {
            Ok(record) => read.push(record),
            Err(mistake) => mistakes.push(format!("{place}: {mistake}")),
        }
    }
    match mistakes.is_empty() {
        true => Ok(read),
        false => bail!(mistakes.join("\n")),
    }
}

/// One item of a file: where it stands, and what it is or what is wrong with it.
type Item = (String, std::result::Result<(Option<Key>, Input), String>);

fn records(resource: &Resource, text: &str) -> Result<Vec<Item>> {
    let items: Vec<&RawValue> =
        serde_json::from_str(text).context("the file must be a JSON array of objects")?;
    let item = |(index, item): (usize, &RawValue)| {
        let record = read_record(resource, item.get()).map(|input| (None, input));
        (format!("record {}", index + 1), record)
    };
    Ok(items.iter().copied().enumerate().map(item).collect())
}

fn documents(resource: &Resource, text: &str) -> Result<Vec<Item>> {
    let items = carafe_service::merge::members(text.trim())
        .context("the file must be JSON")?
        .context("the file must be a JSON object with the documents under their names")?;
    let mut seen = HashSet::new();
    let item = |(name, item): (String, &RawValue)| {
        let document = match resource.key.kind.parse(&name) {
            _ if !seen.insert(name.clone()) => Err("the name stands twice".to_owned()),
            None => Err(
                "the name must have 1 to 255 characters, no control characters, and not be . or .."
                    .to_owned(),
            ),
            Some(key) => read_record(resource, item.get()).map(|input| (Some(key), input)),
        };
        (format!("document {name:?}"), document)
    };
    Ok(items.into_iter().map(item).collect())
}

fn read_record(resource: &Resource, text: &str) -> std::result::Result<Input, String> {
    let depth_max = Limits::default().json_depth_max;
    let input =
        json::read_input(resource, text.as_bytes(), depth_max).map_err(|problem| problem.error)?;
    match input.clone().into_new(resource) {
        Ok(_) => Ok(input),
        Err(found) => Err(found
            .into_iter()
            .map(|fault| fault.message)
            .collect::<Vec<_>>()
            .join("; ")),
    }
}
