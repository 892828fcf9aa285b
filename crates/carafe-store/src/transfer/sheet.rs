//! A table as it is moved, and the statements that read and write it: pure functions.

use carafe_model::key::KeyKind;
use carafe_model::name::Name;
use carafe_model::resource::{Delete, Resource};
use carafe_model::schema::Schema;
use carafe_model::value::Value;

use crate::ddl::{self, Object};
use crate::dialect::Dialect;
use crate::postgres::{self, array};
use crate::statement::{Identifier, Statement};
use crate::storage::Storage;
use crate::table;
use crate::write;

/// A table of one database, with the columns that are moved.
pub(super) struct Sheet<'s> {
    dialect: Dialect,
    /// For people: `notes`, `history of notes`.
    pub(super) title: String,
    pub(super) table: Identifier,
    pub(super) columns: Vec<Column>,
    /// How many of the first columns tell rows apart, and order them.
    pub(super) key: usize,
    /// Whose records the rows are; `None` where they are none.
    pub(super) resource: Option<&'s Resource>,
}

/// A column that is moved.
pub(super) struct Column {
    pub(super) name: Identifier,
    pub(super) storage: Storage,
    /// A column of type `json` in PostgreSQL, which keeps the text as it is.
    is_json: bool,
}

impl Column {
    fn new(name: &str, storage: Storage) -> Self {
        Self {
            name: Identifier::found(name),
            storage,
            is_json: false,
        }
    }

    fn of(name: &Name, storage: Storage) -> Self {
        Self::new(name.as_str(), storage)
    }
}

/// The tables of an application in one database: those of its resources, each with its history
/// behind it, and that of the requests which are remembered.
pub(super) fn sheets(dialect: Dialect, schema: &Schema) -> Vec<Sheet<'_>> {
    let mut sheets = Vec::new();
    for resource in &schema.resources {
        sheets.push(records(dialect, resource));
        if resource.history {
            sheets.push(history(dialect, resource));
        }
    }
    sheets.push(requests(dialect));
    sheets
}

fn records(dialect: Dialect, resource: &Resource) -> Sheet<'_> {
    let key = &resource.key;
    let mut columns = match key.kind {
        KeyKind::Integer => vec![Column::of(&key.field, Storage::Integer)],
        KeyKind::Uuid | KeyKind::String => vec![
            Column::new("_id", Storage::Integer),
            Column::of(&key.field, Storage::of_key(key.kind)),
        ],
    };
    columns.push(Column::new("_version", Storage::Integer));
    if resource.delete == Delete::Soft {
        columns.push(Column::new("_deleted_at", Storage::Datetime));
        columns.push(Column::new("_deleted_with", Storage::Text));
    }
    let fields = resource.fields.iter();
    columns.extend(fields.map(|field| Column::of(&field.name, Storage::of(field))));
    Sheet {
        dialect,
        title: resource.name.to_string(),
        table: Identifier::found(resource.name.as_str()),
        columns,
        key: 1,
        resource: Some(resource),
    }
}

fn history(dialect: Dialect, resource: &Resource) -> Sheet<'_> {
    let mut columns = vec![
        Column::new("id", Storage::Integer),
        Column::new("version", Storage::Integer),
    ];
    columns.extend(["at", "actor", "action", "data"].map(|name| Column::new(name, Storage::Text)));
    if let Some(data) = columns.last_mut() {
        data.is_json = true;
    }
    Sheet {
        dialect,
        title: format!("history of {}", resource.name),
        table: ddl::history_table(dialect, resource).name,
        columns,
        key: 2,
        resource: None,
    }
}

fn requests(dialect: Dialect) -> Sheet<'static> {
    let texts = ["caller", "key", "fingerprint", "resource", "record"];
    let mut columns: Vec<Column> = texts.map(|name| Column::new(name, Storage::Text)).into();
    columns.push(Column::new("id", Storage::Integer));
    columns.extend(["data", "at"].map(|name| Column::new(name, Storage::Text)));
    Sheet {
        dialect,
        title: "remembered requests".to_owned(),
        table: Identifier::found("_carafe_request"),
        columns,
        key: 2,
        resource: None,
    }
}

impl Sheet<'_> {
    /// Finds a row, if there is any.
    pub(super) fn any(&self) -> Statement {
        let mut sql = Statement::new(self.dialect, "SELECT 1 FROM ");
        sql.identifier(&self.table).push(" LIMIT 1");
        sql
    }

    pub(super) fn count(&self) -> Statement {
        let mut sql = Statement::new(self.dialect, "SELECT count(*) FROM ");
        sql.identifier(&self.table);
        sql
    }

    /// Reads rows in the order of their key, from the first or behind a key.
    pub(super) fn select(&self, after: Option<&[Value]>, limit: u32) -> Statement {
        let mut sql = Statement::new(self.dialect, "SELECT ");
        for (position, column) in self.columns.iter().enumerate() {
            sql.push(if position == 0 { "" } else { ", " });
            column.storage.write_conversion(&mut sql, |sql| {
                sql.identifier(&column.name);
            });
            if column.is_json {
                sql.push_either("", "::text");
            }
        }
        sql.push(" FROM ").identifier(&self.table);
        if let Some(after) = after {
            sql.push(" WHERE (");
            self.key_columns(&mut sql);
            sql.push(") > (");
            for (position, value) in after.iter().enumerate() {
                sql.push(if position == 0 { "" } else { ", " })
                    .bind(value.clone());
            }
            sql.push(")");
        }
        sql.push(" ORDER BY ");
        self.key_columns(&mut sql);
        sql.push(" LIMIT ").number(limit);
        sql
    }

    /// Texts are ordered by code point in both databases.
    fn key_columns(&self, sql: &mut Statement) {
        for (position, column) in self.columns[..self.key].iter().enumerate() {
            sql.push(if position == 0 { "" } else { ", " })
                .identifier(&column.name);
            if column.storage == Storage::Text {
                sql.push_either("", " COLLATE \"C\"");
            }
        }
    }

    /// Inserts rows: one in SQLite, as many as the arrays have that are bound in PostgreSQL.
    pub(super) fn insert(&self) -> Statement {
        let mut sql = Statement::new(self.dialect, "INSERT INTO ");
        sql.identifier(&self.table);
        for (position, column) in self.columns.iter().enumerate() {
            sql.push(if position == 0 { " (" } else { ", " })
                .identifier(&column.name);
        }
        if self.is_searched() {
            sql.push(", _search");
        }
        let storages = self.storages();
        if self.dialect == Dialect::Sqlite {
            sql.push(") VALUES (");
            for (position, storage) in storages.iter().enumerate() {
                sql.push(if position == 0 { "" } else { ", " })
                    .hole(position + 1, *storage);
            }
            sql.push(")");
            return sql;
        }
        sql.push(") ");
        let casts = self.columns.iter().map(|column| match column.is_json {
            true => "::json",
            false => "",
        });
        let casts = casts.chain(std::iter::repeat(""));
        let columns: Vec<_> = storages.into_iter().zip(casts).collect();
        array::select(&mut sql, &columns);
        sql
    }

    /// How the values that [`Sheet::insert`] takes are kept.
    pub(super) fn storages(&self) -> Vec<Storage> {
        let columns = self.columns.iter().map(|column| column.storage);
        let searched = self.is_searched().then_some(Storage::Text);
        columns.chain(searched).collect()
    }

    fn is_searched(&self) -> bool {
        let resource = self.resource;
        resource.is_some_and(|resource| table::has_search_column(self.dialect, resource))
    }

    /// The index that is made faster of all rows at once than row by row, with its resource.
    pub(super) fn search_index(&self) -> Option<(&Resource, Object)> {
        let resource = self.resource.filter(|_| self.is_searched())?;
        Some((resource, postgres::ddl::search_index(resource)))
    }

    /// Adds to rows of the source what the target computes from them.
    pub(super) fn complete(&self, rows: &mut [Vec<Value>]) {
        let Some(resource) = self.resource.filter(|_| self.is_searched()) else {
            return;
        };
        let first = self.columns.len() - resource.fields.len();
        for row in rows {
            let searched = write::searched_text(resource, |field| &row[first + field]);
            row.push(Value::Text(searched));
        }
    }
}

#[cfg(test)]
mod tests {
    use carafe_model::kind::Kind;
    use insta::assert_snapshot;

    use super::*;
    use crate::dialect::both;
    use crate::draft::{field, resource, schema};

    fn of(position: usize, statement: impl Fn(&Sheet<'_>) -> Statement) -> String {
        let schema = schema(vec![
            resource(
                "notes",
                vec![
                    field("title", Kind::String),
                    field("price", Kind::Decimal { scale: 2 }),
                    field("done", Kind::Boolean),
                    field("due", Kind::Date),
                ],
            )
            .key("code", KeyKind::Uuid)
            .search(&["title"])
            .history(),
        ]);
        both(|dialect| statement(&sheets(dialect, &schema)[position]))
    }

    #[test]
    fn rows_are_read_behind_a_key() {
        assert_snapshot!(of(0, |sheet| sheet.select(None, 10)), @r#"
        SELECT "_id", "code", "_version", "_deleted_at", "_deleted_with", "title", "price", "done", "due" FROM "notes" ORDER BY "_id" LIMIT 10
        SELECT "_id", "code"::text, "_version", to_char("_deleted_at" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), "_deleted_with", "title", ("price" * 1e2)::bigint, "done", to_char("due", 'YYYY-MM-DD') FROM "notes" ORDER BY "_id" LIMIT 10
        "#);
        assert_snapshot!(of(1, |sheet| sheet.select(Some(&[Value::Integer(7), Value::Integer(2)]), 10)), @r#"
        SELECT "id", "version", "at", "actor", "action", "data" FROM "notes__history" WHERE ("id", "version") > (?, ?) ORDER BY "id", "version" LIMIT 10
        SELECT "id", "version", "at", "actor", "action", "data"::text FROM "notes__history" WHERE ("id", "version") > ($1::bigint, $2::bigint) ORDER BY "id", "version" LIMIT 10
        "#);
        assert_snapshot!(of(2, |sheet| sheet.select(Some(&[Value::Text("a".to_owned()), Value::Text("b".to_owned())]), 10)), @r#"
        SELECT "caller", "key", "fingerprint", "resource", "record", "id", "data", "at" FROM "_carafe_request" WHERE ("caller", "key") > (?, ?) ORDER BY "caller", "key" LIMIT 10
        SELECT "caller", "key", "fingerprint", "resource", "record", "id", "data", "at" FROM "_carafe_request" WHERE ("caller" COLLATE "C", "key" COLLATE "C") > ($1::text, $2::text) ORDER BY "caller" COLLATE "C", "key" COLLATE "C" LIMIT 10
        "#);
    }

    #[test]
    fn rows_are_written_as_they_are() {
        assert_snapshot!(of(0, |sheet| sheet.insert()), @r#"
        INSERT INTO "notes" ("_id", "code", "_version", "_deleted_at", "_deleted_with", "title", "price", "done", "due") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
        INSERT INTO "notes" ("_id", "code", "_version", "_deleted_at", "_deleted_with", "title", "price", "done", "due", _search) SELECT c1::bigint, c2::text::uuid, c3::bigint, c4::text::timestamp with time zone, c5::text, c6::text, c7::bigint * 1e-2, c8::boolean, c9::text::date, c10::text FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::boolean[], $9::text[], $10::text[]) AS moved (c1, c2, c3, c4, c5, c6, c7, c8, c9, c10)
        "#);
        assert_snapshot!(of(1, |sheet| sheet.insert()), @r#"
        INSERT INTO "notes__history" ("id", "version", "at", "actor", "action", "data") VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        INSERT INTO "notes__history" ("id", "version", "at", "actor", "action", "data") SELECT c1::bigint, c2::bigint, c3::text, c4::text, c5::text, c6::text::json FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[]) AS moved (c1, c2, c3, c4, c5, c6)
        "#);
        assert_snapshot!(of(2, |sheet| sheet.insert()), @r#"
        INSERT INTO "_carafe_request" ("caller", "key", "fingerprint", "resource", "record", "id", "data", "at") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        INSERT INTO "_carafe_request" ("caller", "key", "fingerprint", "resource", "record", "id", "data", "at") SELECT c1::text, c2::text, c3::text, c4::text, c5::text, c6::bigint, c7::text, c8::text FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[]) AS moved (c1, c2, c3, c4, c5, c6, c7, c8)
        "#);
    }
}
