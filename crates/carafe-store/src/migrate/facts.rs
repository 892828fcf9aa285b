//! What the tables of an application are like, as far as a plan depends on it.

use std::collections::{BTreeMap, BTreeSet};

use carafe_model::field::{Field, Rules};
use carafe_model::key::Key;
use carafe_model::kind::Kind;
use carafe_model::name::Name;
use carafe_model::resource::{Delete, Resource};
use carafe_model::schema::Schema;
use carafe_model::value::Value;

use crate::catalog::{self, Catalog, Column};
use crate::ddl::{self, Object};
use crate::dialect::Dialect;
use crate::error::Result;
use crate::migrate::convert::{self, Form};
use crate::migrate::plan::is_credible;
use crate::migrate::{Doing, Progress};
use crate::statement::Statement;
use crate::storage::Storage;
use crate::table;
use crate::transaction::Transaction;

/// What facts are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Nothing may be changed.
    Plan,
    Migration,
    /// Columns are what they should be; what was noted of them is not up to date yet.
    Upkeep,
}

/// Rows from which on a table counts as large: reading or writing all of it is felt.
const LARGE_ROWS: u64 = 100_000;

/// Rows that are read at a time to see whether their values fit a new type.
const BATCH_ROWS: i64 = 5000;

/// Values that do not fit which are shown.
const SHOWN_MAX: usize = 5;

/// What a plan depends on.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) catalog: Catalog,
    /// Whether PostgreSQL can index trigrams.
    pub(super) has_trigrams: bool,
    /// The tables of the resources that have one.
    pub(super) tables: BTreeMap<usize, Table>,
}

/// A resource's table as it is.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    /// By its counter; 0 where none is kept yet.
    pub(super) rows: u64,
    pub(super) is_empty: bool,
    pub(super) has_deleted: bool,
    /// Fields that have a null, among those that are not to have any.
    pub(super) nulls: BTreeSet<usize>,
    /// Unique sets that are broken, among those that have no index yet.
    pub(super) broken: BTreeSet<usize>,
    /// Records whose value does not fit the field's new type.
    pub(super) misfits: BTreeMap<usize, Misfits>,
}

/// Values that a field cannot have.
#[derive(Debug, Default)]
pub(super) struct Misfits {
    pub(super) count: u64,
    /// Keys of the first of their records, with the values.
    pub(super) first: Vec<(String, String)>,
}

impl Facts {
    /// Reads everything. `pg_trgm` is made where it can be, unless only a plan is wanted.
    pub(super) async fn read(
        tx: &mut impl Transaction,
        schema: &Schema,
        purpose: Purpose,
        progress: &Progress,
    ) -> Result<Self> {
        let catalog = Catalog::read(tx).await?;
        let has_trigrams = match tx.dialect() {
            Dialect::Sqlite => false,
            Dialect::Postgres => {
                schema
                    .resources
                    .iter()
                    .any(|resource| !resource.search.is_empty())
                    && has_trigrams(tx, purpose).await?
            }
        };
        let mut tables = BTreeMap::new();
        for resource in &schema.resources {
            if catalog.has(resource.name.as_str()) {
                let table = Table::read(tx, &catalog, resource, purpose, progress).await?;
                tables.insert(resource.index, table);
            }
        }
        Ok(Self {
            catalog,
            has_trigrams,
            tables,
        })
    }
}

impl Facts {
    /// Whether a table is large, by the name of its resource.
    pub(super) fn is_large(&self, schema: &Schema, table: &Name) -> bool {
        let resource = schema.resource(table.as_str());
        let table = resource.and_then(|resource| self.tables.get(&resource.index));
        table.is_some_and(|table| table.rows >= LARGE_ROWS)
    }
}

impl Table {
    async fn read(
        tx: &mut impl Transaction,
        catalog: &Catalog,
        resource: &Resource,
        purpose: Purpose,
        progress: &Progress,
    ) -> Result<Self> {
        let mut table = Self {
            columns: catalog::columns(tx, &resource.name).await?,
            ..Self::default()
        };
        let mut any = Statement::new(tx.dialect(), "SELECT 1 FROM ");
        any.name(&resource.name).push(" LIMIT 1");
        table.is_empty = !exists(tx, &any).await?;
        if catalog.has("_carafe_count") {
            table.rows = rows(tx, resource).await?;
        }
        if table.column("_deleted_at").is_some() {
            let mut deleted = Statement::new(tx.dialect(), "SELECT 1 FROM ");
            deleted
                .name(&resource.name)
                .push(" WHERE _deleted_at IS NOT NULL LIMIT 1");
            table.has_deleted = exists(tx, &deleted).await?;
        }
        for (position, field) in resource.fields.iter().enumerate() {
            let loose = table
                .column(field.name.as_str())
                .is_some_and(|column| !column.not_null);
            if loose
                && !field.optional
                && exists(tx, &find_null(tx.dialect(), resource, field)).await?
            {
                table.nulls.insert(position);
            }
            let column = table.column(field.name.as_str());
            let noted = catalog.kind(resource, field).filter(|noted| {
                column.is_some_and(|column| is_credible(tx.dialect(), noted, column))
            });
            if let Some(form) = noted.and_then(|noted| to_convert(noted, field))
                && purpose != Purpose::Upkeep
                && table.column(field.name.as_str()).is_some()
            {
                let misfits = misfits(tx, resource, field, form, table.rows, progress).await?;
                if misfits.count > 0 {
                    table.misfits.insert(position, misfits);
                }
            }
        }
        let soft = table.column("_deleted_at").is_some();
        for index in ddl::indexes(tx.dialect(), resource) {
            let Some(unique) = unique_of(tx.dialect(), resource, &index) else {
                continue;
            };
            let fields = &resource.unique[unique];
            let missing = |field: &usize| {
                table
                    .column(resource.fields[*field].name.as_str())
                    .is_none()
            };
            // Columns that come now have the same default in every row.
            let defaulted = |field: &usize| {
                let default = resource.fields[*field].default.as_ref();
                default.is_some_and(|default| !default.is_null())
            };
            let come = fields.iter().copied().filter(missing).collect::<Vec<_>>();
            if come.len() == fields.len()
                && come.iter().all(defaulted)
                && has_two_rows(tx, resource).await?
            {
                table.broken.insert(unique);
            }
            if come.is_empty()
                && !catalog.has_same(index.name.as_str(), &index.statement)
                && exists(tx, &find_repeated(tx.dialect(), resource, fields, soft)).await?
            {
                table.broken.insert(unique);
            }
        }
        Ok(table)
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

async fn has_two_rows(tx: &mut impl Transaction, resource: &Resource) -> Result<bool> {
    let mut second = Statement::new(tx.dialect(), "SELECT 1 FROM ");
    second.name(&resource.name).push(" LIMIT 1 OFFSET 1");
    exists(tx, &second).await
}

/// Whether this user may make an extension of `pg_available_extension_versions`.
pub(crate) const MAY_BE_MADE: &str = "(NOT superuser OR trusted OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)) \
     AND has_database_privilege(current_database(), 'CREATE')";

/// Whether PostgreSQL's `pg_trgm` is there; it is made if it can be had. Searches read every
/// text without it.
async fn has_trigrams(tx: &mut impl Transaction, purpose: Purpose) -> Result<bool> {
    let mut is_there = Statement::new(tx.dialect(), "SELECT 1 FROM pg_extension WHERE extname = ");
    is_there.bind("pg_trgm");
    if exists(tx, &is_there).await? {
        return Ok(true);
    }
    let mut can_be = Statement::new(
        tx.dialect(),
        "SELECT 1 FROM pg_available_extension_versions WHERE name = ",
    );
    can_be.bind("pg_trgm").push(" AND ").push(MAY_BE_MADE);
    can_be.push(" LIMIT 1");
    if !exists(tx, &can_be).await? {
        tracing::warn!(
            "PostgreSQL's extension pg_trgm is not there and cannot be made by this user: searches read every text"
        );
        return Ok(false);
    }
    if purpose != Purpose::Plan {
        tx.run(&Statement::new(tx.dialect(), "CREATE EXTENSION pg_trgm"))
            .await?;
    }
    Ok(true)
}

/// Whether a field's type is another one than its column was made for, so that values have to
/// become others, and what they are now.
pub(super) fn to_convert(noted: &str, field: &Field) -> Option<Form> {
    if noted == ddl::kind_text(&field.kind) {
        return None;
    }
    Form::noted(noted).filter(|form| convert::can_convert(*form, field))
}

/// The values of a column that its field cannot have.
async fn misfits(
    tx: &mut impl Transaction,
    resource: &Resource,
    field: &Field,
    form: Form,
    rows: u64,
    progress: &Progress,
) -> Result<Misfits> {
    let before = Field {
        kind: form.kind(),
        rules: Rules::default(),
        ..field.clone()
    };
    let after = Field {
        rules: Rules::default(),
        ..field.clone()
    };
    let mut misfits = Misfits::default();
    let (mut last, mut read) = (i64::MIN, 0);
    loop {
        let mut sql = Statement::new(tx.dialect(), "SELECT ");
        table::id(&mut sql, resource);
        sql.push(", ");
        table::key(&mut sql, resource);
        sql.push(", ");
        Storage::of(&before).write_conversion(&mut sql, |sql| {
            sql.name(&field.name);
        });
        sql.push(" FROM ").name(&resource.name).push(" WHERE ");
        table::id(&mut sql, resource);
        sql.push(" > ").bind(last).push(" ORDER BY ");
        table::id(&mut sql, resource);
        sql.push(" LIMIT ").bind(BATCH_ROWS);
        let batch = tx.rows(&sql).await?;
        let Some(Value::Integer(id)) = batch.last().map(|row| &row[0]) else {
            return Ok(misfits);
        };
        last = *id;
        read += u64::try_from(batch.len()).unwrap_or(0);
        for row in &batch {
            let text = before.show(&row[2]);
            let fits = row[2].is_null() || !text.is_empty() && becomes(&after, &text);
            if !fits {
                misfits.count += 1;
                if misfits.first.len() < SHOWN_MAX {
                    let key = Key::from_cell(row[1].as_cell());
                    misfits.first.push((key.to_string(), text));
                }
            }
        }
        progress(Doing {
            title: format!(
                "Looking at the values of `{}.{}`",
                resource.name, field.name
            ),
            rows: Some((read, rows.max(read))),
        });
    }
}

/// Whether a text reads as a value of a field. A moment must be in its one form already: SQLite
/// cannot bring it there.
fn becomes(field: &Field, text: &str) -> bool {
    match (field.read_text(text), &field.kind) {
        (Ok(Value::Text(moment)), Kind::Datetime) => moment == text,
        (Ok(_), _) => true,
        (Err(_), _) => false,
    }
}

/// How many rows a table has, by its counter.
async fn rows(tx: &mut impl Transaction, resource: &Resource) -> Result<u64> {
    let mut sql = Statement::new(tx.dialect(), "SELECT ");
    sql.push_either("sum(live + deleted)", "sum(live + deleted)::bigint")
        .push(" FROM _carafe_count WHERE resource = ")
        .bind(resource.name.as_str());
    let rows = tx.rows(&sql).await?;
    Ok(match rows.first().map(|row| &row[0]) {
        Some(Value::Integer(rows)) => u64::try_from(*rows).unwrap_or(0),
        _ => 0,
    })
}

/// The unique set that an index is for.
fn unique_of(dialect: Dialect, resource: &Resource, index: &Object) -> Option<usize> {
    let sets = resource.unique.iter();
    sets.enumerate()
        .find(|(_, fields)| ddl::unique_name(dialect, resource, fields) == index.name)
        .map(|(position, _)| position)
}

fn find_null(dialect: Dialect, resource: &Resource, field: &Field) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT 1 FROM ");
    sql.name(&resource.name)
        .push(" WHERE ")
        .name(&field.name)
        .push(" IS NULL LIMIT 1");
    sql
}

fn find_repeated(dialect: Dialect, resource: &Resource, fields: &[usize], soft: bool) -> Statement {
    let mut sql = Statement::new(dialect, "SELECT 1 FROM ");
    sql.name(&resource.name).push(" WHERE TRUE");
    if soft && resource.delete == Delete::Soft {
        sql.push(" AND _deleted_at IS NULL");
    }
    for &field in fields {
        sql.push(" AND ")
            .name(&resource.fields[field].name)
            .push(" IS NOT NULL");
    }
    for (position, &field) in fields.iter().enumerate() {
        sql.push(if position == 0 { " GROUP BY " } else { ", " })
            .name(&resource.fields[field].name);
    }
    sql.push(" HAVING count(*) > 1 LIMIT 1");
    sql
}

async fn exists(tx: &mut impl Transaction, statement: &Statement) -> Result<bool> {
    Ok(!tx.rows(statement).await?.is_empty())
}
