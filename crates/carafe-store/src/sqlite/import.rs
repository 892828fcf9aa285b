//! An import on the writer's connection: statements that are held, a row at a time.

use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::resource::Resource;
use carafe_model::value::Value;
use rusqlite::{CachedStatement, Connection};
use tokio::sync::mpsc::Receiver;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::import::{ImportRow, Imported, Part, is_of_row};
use crate::plan::Plans;
use crate::sqlite::connection::{bind, bind_all};
use crate::sqlite::{failure, writer};
use crate::statement::Parameter;
use crate::store::Stamp;
use crate::write::{self, Action, Refusal};

/// Inserts the rows that come, in one transaction, which begins with the first of them.
pub(crate) fn run(
    connection: &Connection,
    plans: &Arc<Plans>,
    resource: usize,
    stamp: &Stamp,
    parts: &mut Receiver<Part<ImportRow>>,
) -> Result<Imported<Error>> {
    let outcome = fill(connection, plans, resource, stamp, parts);
    writer::rollback(connection);
    outcome
}

fn fill(
    connection: &Connection,
    plans: &Arc<Plans>,
    resource: usize,
    stamp: &Stamp,
    parts: &mut Receiver<Part<ImportRow>>,
) -> Result<Imported<Error>> {
    let mut imported = Imported::default();
    let Some(mut part) = parts.blocking_recv() else {
        return Ok(imported);
    };
    writer::begin(connection)?;
    let mut insertion = Insertion::prepare(connection, plans, resource, stamp)?;
    loop {
        let rows = match part {
            Part::Rows(rows) => rows,
            Part::Keep if imported.refused.is_empty() => {
                drop(insertion);
                writer::commit(connection)?;
                return Ok(imported);
            }
            Part::Keep => return Ok(imported),
        };
        for row in rows {
            match insertion.run(&row) {
                Ok(()) => imported.accepted += 1,
                // A full disk, an I/O error or no memory can end the whole transaction.
                Err(err) if is_of_row(&err) && !connection.is_autocommit() => {
                    imported.refused.note(row.number, err);
                }
                Err(err) => return Err(err),
            }
        }
        match parts.blocking_recv() {
            Some(next) => part = next,
            None => return Ok(imported),
        }
    }
}

/// What one row takes.
struct Insertion<'c> {
    connection: &'c Connection,
    resource: &'c Resource,
    references: Vec<Lookup<'c>>,
    insert: CachedStatement<'c>,
    history: Option<(CachedStatement<'c>, Vec<Parameter>)>,
}

/// Finds the record that a field refers to.
struct Lookup<'c> {
    field: usize,
    statement: CachedStatement<'c>,
}

impl<'c> Insertion<'c> {
    fn prepare(
        connection: &'c Connection,
        plans: &'c Arc<Plans>,
        resource: usize,
        stamp: &Stamp,
    ) -> Result<Self> {
        let resource = &plans.schema.resources[resource];
        let mut references = Vec::new();
        for (field, declared) in resource.fields.iter().enumerate() {
            if let Kind::Reference(reference) = &declared.kind {
                let target = &plans.schema.resources[reference.index];
                // Each row binds a key of its own.
                let find = write::target(Dialect::Sqlite, target, Value::Null);
                references.push(Lookup {
                    field,
                    statement: connection.prepare_cached(find.text())?,
                });
            }
        }
        let history = match resource.history {
            true => {
                let id = Parameter::InsertedId;
                let remember = write::history(Dialect::Sqlite, resource, Action::Create, id, stamp);
                let (text, parameters) = remember.into_parts();
                Some((connection.prepare_cached(&text)?, parameters))
            }
            false => None,
        };
        Ok(Self {
            connection,
            resource,
            references,
            insert: connection.prepare_cached(&plans.of(resource).insert)?,
            history,
        })
    }

    fn run(&mut self, row: &ImportRow) -> Result<()> {
        for lookup in &mut self.references {
            if !lookup.leads_somewhere(self.resource, row)? {
                return Err(Refusal::NoReference {
                    field: lookup.field,
                }
                .into());
            }
        }
        let key = row.key.as_ref().map(Key::to_value);
        for (index, value) in (1..).zip(key.iter().chain(&row.values)) {
            bind(&mut self.insert, index, value)?;
        }
        let inserted = self.insert.raw_execute();
        inserted.map_err(|err| failure::of_write(self.resource, err))?;
        if let Some((statement, parameters)) = &mut self.history {
            bind_all(statement, parameters, self.connection.last_insert_rowid())?;
            statement.raw_execute()?;
        }
        Ok(())
    }
}

impl Lookup<'_> {
    fn leads_somewhere(&mut self, resource: &Resource, row: &ImportRow) -> Result<bool> {
        let value = &row.values[self.field];
        if !write::must_lead_somewhere(resource, self.field, row.key.as_ref(), value) {
            return Ok(true);
        }
        bind(&mut self.statement, 1, value)?;
        Ok(self.statement.raw_query().next()?.is_some())
    }
}
