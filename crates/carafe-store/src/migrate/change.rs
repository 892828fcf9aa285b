//! One change of the tables of an application: what it does in either dialect, what takes it
//! back, and what it costs. Pure functions.

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

/// A change. A table is named as it is when its turn comes: renamed ones by their new names.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// With its history, if it has one.
    CreateTable(Resource),
    /// An empty table that does not fit is made anew; the ids that it has given stay given.
    RemakeTable(Resource),
    /// Of a table that is there.
    CreateHistory(Resource),
    RenameTable {
        from: Name,
        resource: Resource,
        /// It has a history, which goes along.
        history: bool,
        /// Indexes of ours, which are called after the table.
        indexes: Vec<String>,
        /// Tables whose rows were deleted together with others.
        soft: Vec<Name>,
    },
    DropTable {
        table: Name,
    },
    AddDeletion(Resource),
    AddColumn {
        resource: Resource,
        field: Field,
    },
    RenameColumn {
        resource: Resource,
        from: Name,
        field: Field,
        /// The table has a history, in which it is renamed too.
        history: bool,
    },
    DropColumn {
        resource: Resource,
        column: Name,
        /// What it was made for, to make it again.
        form: Option<Form>,
        /// Indexes of ours that have it.
        indexes: Vec<String>,
    },
    /// A column that is no field any more takes nulls.
    Release {
        resource: Resource,
        column: Name,
    },
    MakeOptional {
        resource: Resource,
        field: Field,
    },
    MakeRequired {
        resource: Resource,
        field: Field,
    },
    Convert {
        resource: Resource,
        field: Field,
        from: Form,
        noted: String,
        indexes: Vec<String>,
        /// The table has a history, whose old values are of the old type.
        history: bool,
    },
}

impl Change {
    /// For people: ``Added field `notes.pinned` ``.
    pub(crate) fn title(&self) -> String {
        match self {
            Change::CreateTable(resource) => format!("Created table `{}`", resource.name),
            Change::RemakeTable(resource) => {
                format!("Made the empty table `{}` anew", resource.name)
            }
            Change::CreateHistory(resource) => format!("Began the history of `{}`", resource.name),
            Change::RenameTable { from, resource, .. } => {
                format!("Renamed table `{from}` to `{}`", resource.name)
            }
            Change::DropTable { table } => format!("Dropped table `{table}`"),
            Change::AddDeletion(resource) => {
                let name = &resource.name;
                format!("Made records of `{name}` restorable after deletion")
            }
            Change::AddColumn { resource, field } => {
                format!("Added field `{}.{}`", resource.name, field.name)
            }
            Change::RenameColumn {
                resource,
                from,
                field,
                ..
            } => format!(
                "Renamed field `{0}.{from}` to `{0}.{1}`",
                resource.name, field.name
            ),
            Change::DropColumn {
                resource, column, ..
            } => format!("Dropped field `{}.{column}`", resource.name),
            Change::Release { resource, column } => format!(
                "Let column `{}.{column}`, which is no field any more, be null",
                resource.name
            ),
            Change::MakeOptional { resource, field } => {
                format!("Made field `{}.{}` optional", resource.name, field.name)
            }
            Change::MakeRequired { resource, field } => {
                format!("Made field `{}.{}` required", resource.name, field.name)
            }
            Change::Convert {
                resource,
                field,
                noted,
                ..
            } => format!(
                "Converted field `{}.{}` from {noted} to {}",
                resource.name,
                field.name,
                ddl::kind_text(&field.kind)
            ),
        }
    }

    /// For a file's name: `add_notes_pinned`.
    pub(crate) fn slug(&self) -> String {
        match self {
            Change::CreateTable(resource) => format!("create_{}", resource.name),
            Change::RemakeTable(resource) => format!("remake_{}", resource.name),
            Change::CreateHistory(resource) => format!("history_of_{}", resource.name),
            Change::RenameTable { from, .. } => format!("rename_{from}"),
            Change::DropTable { table } => format!("drop_{table}"),
            Change::AddDeletion(resource) => format!("soft_{}", resource.name),
            Change::AddColumn { resource, field } => {
                format!("add_{}_{}", resource.name, field.name)
            }
            Change::RenameColumn { resource, from, .. } => {
                format!("rename_{}_{from}", resource.name)
            }
            Change::DropColumn {
                resource, column, ..
            } => format!("drop_{}_{column}", resource.name),
            Change::Release { resource, column } => format!("release_{}_{column}", resource.name),
            Change::MakeOptional { resource, field } | Change::MakeRequired { resource, field } => {
                format!("change_{}_{}", resource.name, field.name)
            }
            Change::Convert {
                resource, field, ..
            } => format!("convert_{}_{}", resource.name, field.name),
        }
    }

    /// What rows cannot be read without, as a lack of the table.
    pub(crate) fn lack(&self) -> Option<String> {
        Some(match self {
            Change::CreateTable(resource) | Change::RemakeTable(resource) => format!(
                "resource `{}`: there is no table of that name",
                resource.name
            ),
            Change::CreateHistory(resource) => format!(
                "resource `{}`: there is no table of its history",
                resource.name
            ),
            Change::AddDeletion(resource) => format!(
                "resource `{}`: the table has no column `_deleted_at`",
                resource.name
            ),
            Change::AddColumn { resource, field } => format!(
                "resource `{}`: the table has no column `{}`",
                resource.name, field.name
            ),
            Change::Convert {
                resource,
                field,
                noted,
                ..
            } => format!(
                "field `{}.{}`: the column was made for {noted}",
                resource.name, field.name
            ),
            Change::RenameTable { .. }
            | Change::DropTable { .. }
            | Change::RenameColumn { .. }
            | Change::DropColumn { .. }
            | Change::Release { .. }
            | Change::MakeOptional { .. }
            | Change::MakeRequired { .. } => return None,
        })
    }

    /// Whether data is gone afterwards.
    pub(crate) fn loses_data(&self) -> bool {
        matches!(self, Change::DropTable { .. } | Change::DropColumn { .. })
    }

    /// The table that it is for only as long as that has no rows.
    pub(crate) fn only_while_empty(&self) -> Option<&Name> {
        match self {
            Change::RemakeTable(resource) => Some(&resource.name),
            _ => None,
        }
    }

    /// Whether every row is read or written while nobody else can.
    pub(crate) fn rewrites(&self) -> Option<&Name> {
        match self {
            Change::Convert { resource, .. } | Change::MakeRequired { resource, .. } => {
                Some(&resource.name)
            }
            Change::RenameColumn {
                resource, history, ..
            } if *history => Some(&resource.name),
            _ => None,
        }
    }

    /// Tables whose triggers are in the way of it.
    pub(crate) fn without_triggers(&self) -> Vec<&Name> {
        match self {
            Change::Convert { resource, .. }
            | Change::DropColumn { resource, .. }
            | Change::AddDeletion(resource)
            | Change::RenameColumn { resource, .. } => vec![&resource.name],
            Change::RenameTable { from, soft, .. } => {
                let mut tables = vec![from];
                tables.extend(soft.iter().filter(|table| *table != from));
                tables
            }
            Change::CreateTable(_)
            | Change::RemakeTable(_)
            | Change::CreateHistory(_)
            | Change::DropTable { .. }
            | Change::AddColumn { .. }
            | Change::Release { .. }
            | Change::MakeOptional { .. }
            | Change::MakeRequired { .. } => Vec::new(),
        }
    }

    /// What does it. All values stand in the text.
    pub(crate) fn forward(&self, dialect: Dialect) -> Vec<Statement> {
        match self {
            Change::CreateTable(resource) => {
                let mut statements = vec![ddl::table(dialect, resource)];
                if resource.history {
                    statements.push(ddl::history_table(dialect, resource).statement);
                }
                statements
            }
            Change::RemakeTable(resource) => remake(dialect, resource),
            Change::CreateHistory(resource) => {
                vec![ddl::history_table(dialect, resource).statement]
            }
            Change::RenameTable {
                from,
                resource,
                history,
                indexes,
                soft,
            } => {
                // The table itself has its new name by then.
                let soft = soft.iter().map(|table| match table == from {
                    true => &resource.name,
                    false => table,
                });
                let mut statements = drop_indexes(dialect, indexes);
                statements.extend(rename_table(dialect, from, &resource.name, *history, soft));
                statements
            }
            Change::DropTable { table } => drop_table(dialect, table),
            Change::AddDeletion(resource) => vec![
                deletion_column(dialect, resource, "_deleted_at ", Storage::Datetime),
                deletion_column(dialect, resource, "_deleted_with ", Storage::Text),
            ],
            Change::AddColumn { resource, field } => {
                vec![ddl::add_column(dialect, resource, field)]
            }
            Change::RenameColumn {
                resource,
                from,
                field,
                history,
            } => rename_column(dialect, &resource.name, from, &field.name, *history),
            Change::DropColumn {
                resource,
                column,
                indexes,
                ..
            } => {
                let mut statements = drop_indexes(dialect, indexes);
                statements.push(drop_column(dialect, &resource.name, column));
                statements.push(forget_kind(dialect, &resource.name, Some(column)));
                statements
            }
            Change::Release { resource, column } => {
                vec![alter(dialect, &resource.name, column, " DROP NOT NULL")]
            }
            Change::MakeOptional { resource, field } => {
                vec![alter(
                    dialect,
                    &resource.name,
                    &field.name,
                    " DROP NOT NULL",
                )]
            }
            Change::MakeRequired { resource, field } => {
                vec![alter(dialect, &resource.name, &field.name, " SET NOT NULL")]
            }
            Change::Convert {
                resource,
                field,
                from,
                noted,
                indexes,
                history,
            } => {
                let mut statements = drop_indexes(dialect, indexes);
                statements.extend(convert_column(dialect, resource, field, *from));
                let kind = ddl::kind_text(&field.kind);
                statements.push(note_kind(dialect, &resource.name, &field.name, &kind));
                if *history {
                    // Old versions have no value of the new type. What they have stays, under a
                    // name that no field can have.
                    let kept = kept_name(field, noted);
                    let name = field.name.as_str();
                    statements.push(rename_in_history(dialect, &resource.name, name, &kept));
                }
                statements
            }
        }
    }

    /// What takes it back; values that are gone stay gone.
    pub(crate) fn backward(&self, dialect: Dialect) -> Vec<Statement> {
        match self {
            Change::CreateTable(resource) => drop_table(dialect, &resource.name),
            Change::CreateHistory(resource) => {
                let mut sql = Statement::new(dialect, "DROP TABLE IF EXISTS ");
                sql.name_with(&resource.name, "__history");
                vec![sql]
            }
            Change::RenameTable {
                from,
                resource,
                history,
                soft,
                ..
            } => {
                let names = ddl::indexes(dialect, resource).into_iter();
                let names: Vec<String> =
                    names.map(|index| index.name.as_str().to_owned()).collect();
                let mut statements = drop_indexes(dialect, &names);
                let (from, to) = (&resource.name, from);
                statements.extend(rename_table(dialect, from, to, *history, soft.iter()));
                statements
            }
            Change::AddColumn { resource, field } => {
                let indexes = indexes_of(dialect, resource, &field.name);
                let mut statements = drop_indexes(dialect, &indexes);
                statements.push(drop_column(dialect, &resource.name, &field.name));
                statements.push(forget_kind(dialect, &resource.name, Some(&field.name)));
                statements
            }
            Change::RenameColumn {
                resource,
                from,
                field,
                history,
            } => rename_column(dialect, &resource.name, &field.name, from, *history),
            Change::DropColumn {
                resource,
                column,
                form,
                ..
            } => {
                let Some(form) = form else { return Vec::new() };
                let field = nameless(column, *form);
                vec![ddl::add_column(dialect, resource, &field)]
            }
            Change::MakeOptional { resource, field } => {
                vec![alter(dialect, &resource.name, &field.name, " SET NOT NULL")]
            }
            Change::MakeRequired { resource, field } => {
                vec![alter(
                    dialect,
                    &resource.name,
                    &field.name,
                    " DROP NOT NULL",
                )]
            }
            Change::Convert {
                resource,
                field,
                from,
                noted,
                history,
                ..
            } => {
                let Some(now) = Form::noted(&ddl::kind_text(&field.kind)) else {
                    return Vec::new();
                };
                let mut before = nameless(&field.name, *from);
                before.optional = field.optional;
                let indexes = indexes_of(dialect, resource, &field.name);
                let mut statements = drop_indexes(dialect, &indexes);
                statements.extend(convert_column(dialect, resource, &before, now));
                statements.push(note_kind(dialect, &resource.name, &field.name, noted));
                if *history {
                    let kept = kept_name(field, noted);
                    let name = field.name.as_str();
                    statements.push(rename_in_history(dialect, &resource.name, &kept, name));
                }
                statements
            }
            Change::AddDeletion(resource) => {
                let names = ddl::indexes(dialect, resource).into_iter();
                let names: Vec<String> =
                    names.map(|index| index.name.as_str().to_owned()).collect();
                let mut statements = drop_indexes(dialect, &names);
                for column in [" DROP COLUMN _deleted_at", " DROP COLUMN _deleted_with"] {
                    let mut sql = Statement::new(dialect, "ALTER TABLE ");
                    sql.name(&resource.name).push(column);
                    statements.push(sql);
                }
                statements
            }
            Change::Release { resource, column } => {
                vec![alter(dialect, &resource.name, column, " SET NOT NULL")]
            }
            // What was in a table, or how it was before it was made anew, nobody knows any more.
            Change::RemakeTable(_) | Change::DropTable { .. } => Vec::new(),
        }
    }
}

/// What old versions of a record call the value of a field that had another type.
fn kept_name(field: &Field, noted: &str) -> String {
    format!("{}__{}", field.name, noted.replace(' ', "_"))
}

/// A field for a column that is none.
fn nameless(column: &Name, form: Form) -> Field {
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

fn alter(dialect: Dialect, table: &Name, column: &Name, end: &'static str) -> Statement {
    let mut sql = Statement::new(dialect, "ALTER TABLE ");
    sql.name(table)
        .push(" ALTER COLUMN ")
        .name(column)
        .push(end);
    sql
}

fn drop_column(dialect: Dialect, table: &Name, column: &Name) -> Statement {
    let mut sql = Statement::new(dialect, "ALTER TABLE ");
    sql.name(table).push(" DROP COLUMN ").name(column);
    sql
}

fn deletion_column(
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
fn drop_indexes(dialect: Dialect, indexes: &[String]) -> Vec<Statement> {
    let drop = |index: &String| {
        let mut sql = Statement::new(dialect, "DROP INDEX IF EXISTS ");
        sql.identifier(&Identifier::found(index));
        sql
    };
    indexes.iter().map(drop).collect()
}

/// The indexes that a resource has over a column.
fn indexes_of(dialect: Dialect, resource: &Resource, column: &Name) -> Vec<String> {
    let quoted = format!("\"{column}\"");
    let indexes = ddl::indexes(dialect, resource).into_iter();
    indexes
        .filter(|index| index.statement.text().contains(&quoted))
        .map(|index| index.name.as_str().to_owned())
        .collect()
}

fn remake(dialect: Dialect, resource: &Resource) -> Vec<Statement> {
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
fn drop_table(dialect: Dialect, name: &Name) -> Vec<Statement> {
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

fn forget_kind(dialect: Dialect, table: &Name, column: Option<&Name>) -> Statement {
    let mut sql = Statement::new(dialect, "DELETE FROM _carafe_schema WHERE resource = ");
    sql.name_text(table);
    if let Some(column) = column {
        sql.push(" AND field = ").name_text(column);
    }
    sql
}

fn note_kind(dialect: Dialect, table: &Name, column: &Name, kind: &str) -> Statement {
    let mut sql = Statement::new(dialect, "UPDATE _carafe_schema SET kind = ");
    sql.literal(&Value::Text(kind.to_owned()))
        .push(" WHERE resource = ")
        .name_text(table)
        .push(" AND field = ")
        .name_text(column);
    sql
}

fn rename_table<'n>(
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

fn rename_column(
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
fn rename_in_history(dialect: Dialect, table: &Name, from: &str, to: &str) -> Statement {
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
fn convert_column(
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
