//! The statements that changes of tables are made of. All values stand in their text, because a
//! migration is kept as text.

use carafe_model::field::Field;
use carafe_model::name::Name;
use carafe_model::resource::Resource;
use carafe_model::value::Value;

use crate::ddl;
use crate::dialect::Dialect;
use crate::migrate::convert::{self, Form};
use crate::statement::{Identifier, Statement};
use crate::storage::Storage;
use crate::table;

/// What old versions of a record call the value of a field that had another type.
pub(super) fn kept_name(field: &Field, noted: &str) -> String {
    format!("{}__{}", field.name, noted.replace(' ', "_"))
}

/// A field for a column that is none.
pub(super) fn nameless(column: &Name, form: Form) -> Field {
    Field {
        name: column.clone(),
        label: String::new(),
        help: None,
        placeholder: None,
        was: None,
        kind: form.kind(),
        optional: true,
        default: None,
        set: None,
        unique: false,
        index: false,
        rules: carafe_model::field::Rules::default(),
    }
}

pub(super) fn alter(dialect: Dialect, table: &Name, column: &Name, end: &'static str) -> Statement {
    let mut sql = Statement::new(dialect, "ALTER TABLE ");
    sql.name(table)
        .push(" ALTER COLUMN ")
        .name(column)
        .push(end);
    sql
}

pub(super) fn drop_column(dialect: Dialect, table: &Name, column: &Name) -> Statement {
    let mut sql = Statement::new(dialect, "ALTER TABLE ");
    sql.name(table).push(" DROP COLUMN ").name(column);
    sql
}

pub(super) fn deletion_column(
    dialect: Dialect,
    resource: &Resource,
    column: &'static str,
    storage: Storage,
) -> Statement {
    let mut sql = Statement::new(dialect, "ALTER TABLE ");
    sql.name(&resource.name).push(" ADD COLUMN ").push(column);
    storage.write_type(&mut sql);
    sql
}

/// SQLite drops no column that an index has, and PostgreSQL converts none that an index has the
/// hash of.
pub(super) fn drop_indexes(dialect: Dialect, indexes: &[String]) -> Vec<Statement> {
    let drop = |index: &String| {
        let mut sql = Statement::new(dialect, "DROP INDEX IF EXISTS ");
        sql.identifier(&Identifier::found(index));
        sql
    };
    indexes.iter().map(drop).collect()
}

/// The indexes that a resource has over a column.
pub(super) fn indexes_of(dialect: Dialect, resource: &Resource, column: &Name) -> Vec<String> {
    let quoted = format!("\"{column}\"");
    let indexes = ddl::indexes(dialect, resource).into_iter();
    indexes
        .filter(|index| index.statement.text().contains(&quoted))
        .map(|index| index.name.as_str().to_owned())
        .collect()
}

pub(super) fn remake(dialect: Dialect, resource: &Resource) -> Vec<Statement> {
    let name = &resource.name;
    let sequence = table::sequence(dialect, resource);
    let mut save = Statement::new(dialect, "CREATE TEMP TABLE carafe_sequence AS SELECT ");
    let mut set = Statement::new(dialect, "");
    match dialect {
        Dialect::Sqlite => {
            save.push("name, seq FROM sqlite_sequence WHERE name = ")
                .name_text(name);
            set.push(
                "INSERT INTO sqlite_sequence (name, seq) SELECT name, seq FROM carafe_sequence",
            );
        }
        Dialect::Postgres => {
            save.push("last_value, is_called FROM ")
                .identifier(&sequence);
            set.push("SELECT setval('")
                .identifier(&sequence)
                .push("', last_value, is_called) FROM carafe_sequence");
        }
    }
    let mut drop = Statement::new(dialect, "DROP TABLE ");
    drop.name(name);
    vec![
        save,
        drop,
        ddl::table(dialect, resource),
        set,
        Statement::new(dialect, "DROP TABLE carafe_sequence"),
    ]
}

/// Drops the table of a resource with all that belongs to it.
pub(super) fn drop_table(dialect: Dialect, name: &Name) -> Vec<Statement> {
    let beside: &[&'static str] = match dialect {
        Dialect::Sqlite => &["", "__history", "__search", "__pending"],
        Dialect::Postgres => &["", "__history"],
    };
    let mut statements: Vec<Statement> = beside
        .iter()
        .map(|ending| {
            let mut sql = Statement::new(dialect, "DROP TABLE IF EXISTS ");
            sql.name_with(name, ending);
            sql
        })
        .collect();
    if dialect == Dialect::Postgres {
        let mut sql = Statement::new(dialect, "DROP FUNCTION IF EXISTS ");
        sql.name_with(name, "__searched").push("()");
        statements.push(sql);
    }
    let mut count = Statement::new(dialect, "DELETE FROM _carafe_count WHERE resource = ");
    count.name_text(name);
    statements.extend([count, forget_kind(dialect, name, None)]);
    statements
}

pub(super) fn forget_kind(dialect: Dialect, table: &Name, column: Option<&Name>) -> Statement {
    let mut sql = Statement::new(dialect, "DELETE FROM _carafe_schema WHERE resource = ");
    sql.name_text(table);
    if let Some(column) = column {
        sql.push(" AND field = ").name_text(column);
    }
    sql
}

pub(super) fn note_kind(dialect: Dialect, table: &Name, column: &Name, kind: &str) -> Statement {
    let mut sql = Statement::new(dialect, "UPDATE _carafe_schema SET kind = ");
    sql.literal(&Value::Text(kind.to_owned()))
        .push(" WHERE resource = ")
        .name_text(table)
        .push(" AND field = ")
        .name_text(column);
    sql
}

pub(super) fn rename_table<'n>(
    dialect: Dialect,
    from: &Name,
    to: &Name,
    history: bool,
    soft: impl Iterator<Item = &'n Name>,
) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut rename = |what: &'static str, ending: &'static str| {
        let mut sql = Statement::new(dialect, what);
        sql.name_with(from, ending)
            .push(" RENAME TO ")
            .name_with(to, ending);
        statements.push(sql);
    };
    rename("ALTER TABLE ", "");
    if history {
        rename("ALTER TABLE ", "__history");
    }
    match dialect {
        Dialect::Sqlite => {
            for part in ["__search", "__pending"] {
                let mut sql = Statement::new(dialect, "DROP TABLE IF EXISTS ");
                sql.name_with(from, part);
                statements.push(sql);
            }
        }
        Dialect::Postgres => {
            rename("ALTER SEQUENCE ", "__id");
            let mut sql = Statement::new(dialect, "DROP FUNCTION IF EXISTS ");
            sql.name_with(from, "__searched").push("()");
            statements.push(sql);
        }
    }
    for own in [
        "UPDATE _carafe_count SET resource = ",
        "UPDATE _carafe_schema SET resource = ",
        "UPDATE _carafe_request SET resource = ",
    ] {
        let mut sql = Statement::new(dialect, own);
        sql.name_text(to).push(" WHERE resource = ").name_text(from);
        statements.push(sql);
    }
    let reference = |name: &Name| Value::Text(format!("reference to {name}"));
    let mut kinds = Statement::new(dialect, "UPDATE _carafe_schema SET kind = ");
    kinds
        .literal(&reference(to))
        .push(" WHERE kind = ")
        .literal(&reference(from));
    statements.push(kinds);
    for table in soft {
        let mut sql = Statement::new(dialect, "UPDATE ");
        sql.name(table)
            .push(" SET _deleted_with = ")
            .name_text(to)
            .push(" || substr(_deleted_with, ")
            .number(u32::try_from(from.as_str().len() + 1).unwrap_or(0))
            .push(") WHERE _deleted_with LIKE ")
            .literal(&Value::Text(format!(
                "{}/%",
                from.as_str().replace('_', "\\_")
            )))
            .push(" ESCAPE '\\'");
        statements.push(sql);
    }
    statements
}

pub(super) fn rename_column(
    dialect: Dialect,
    table: &Name,
    from: &Name,
    to: &Name,
    history: bool,
) -> Vec<Statement> {
    let mut rename = Statement::new(dialect, "ALTER TABLE ");
    rename
        .name(table)
        .push(" RENAME COLUMN ")
        .name(from)
        .push(" TO ")
        .name(to);
    let mut kind = Statement::new(dialect, "UPDATE _carafe_schema SET field = ");
    kind.name_text(to)
        .push(" WHERE resource = ")
        .name_text(table)
        .push(" AND field = ")
        .name_text(from);
    let mut statements = vec![rename, kind];
    if history {
        statements.push(rename_in_history(
            dialect,
            table,
            from.as_str(),
            to.as_str(),
        ));
    }
    statements
}

/// Gives a value of all old versions another name.
pub(super) fn rename_in_history(dialect: Dialect, table: &Name, from: &str, to: &str) -> Statement {
    let text = |name: &str| Value::Text(name.to_owned());
    let mut sql = Statement::new(dialect, "UPDATE ");
    sql.name_with(table, "__history");
    match dialect {
        Dialect::Sqlite => {
            let path = |name: &str| Value::Text(format!("$.{name}"));
            sql.push(" SET data = json_set(json_remove(data, ")
                .literal(&path(from))
                .push("), ")
                .literal(&path(to))
                .push(", data -> ")
                .literal(&path(from))
                .push(") WHERE json_type(data, ")
                .literal(&path(from))
                .push(") IS NOT NULL");
        }
        Dialect::Postgres => {
            sql.push(" SET data = (data::jsonb - ")
                .literal(&text(from))
                .push(" || jsonb_build_object(")
                .literal(&text(to))
                .push(", data::jsonb -> ")
                .literal(&text(from))
                .push("))::json WHERE data::jsonb ? ")
                .literal(&text(from));
        }
    }
    sql
}

/// Makes a column's values those of a field.
pub(super) fn convert_column(
    dialect: Dialect,
    resource: &Resource,
    field: &Field,
    from: Form,
) -> Vec<Statement> {
    let (table, name) = (&resource.name, &field.name);
    let default = field.default.as_ref().filter(|value| !value.is_null());
    match dialect {
        Dialect::Postgres => {
            let mut sql = Statement::new(dialect, "ALTER TABLE ");
            sql.name(table)
                .push(" ALTER COLUMN ")
                .name(name)
                .push(" DROP DEFAULT, ALTER COLUMN ")
                .name(name)
                .push(" TYPE ");
            Storage::of(field).write_type(&mut sql);
            sql.push(" USING ");
            convert::write(
                &mut sql,
                |sql| {
                    sql.name(name);
                },
                from,
                field,
            );
            if let Some(default) = default {
                sql.push(", ALTER COLUMN ")
                    .name(name)
                    .push(" SET DEFAULT ")
                    .literal_as(Storage::of(field), default);
            }
            vec![sql]
        }
        Dialect::Sqlite => {
            let old = |sql: &mut Statement| {
                sql.push("_was");
            };
            let mut rename = Statement::new(dialect, "ALTER TABLE ");
            rename
                .name(table)
                .push(" RENAME COLUMN ")
                .name(name)
                .push(" TO _was");
            let loose = Field {
                optional: true,
                ..field.clone()
            };
            let mut fill = Statement::new(dialect, "UPDATE ");
            fill.name(table).push(" SET ").name(name).push(" = ");
            convert::write(&mut fill, old, from, field);
            let mut drop = Statement::new(dialect, "ALTER TABLE ");
            drop.name(table).push(" DROP COLUMN _was");
            let mut statements = vec![
                rename,
                ddl::add_column(dialect, resource, &loose),
                fill,
                drop,
            ];
            if !field.optional {
                statements.push(alter(dialect, table, name, " SET NOT NULL"));
            }
            statements
        }
    }
}
