//! One change of the tables of an application: what it does in either dialect, what takes it
//! back, and what it costs. Pure functions.

use carafe_model::field::Field;
use carafe_model::name::Name;
use carafe_model::resource::Resource;

use crate::ddl;
use crate::dialect::Dialect;
use crate::migrate::alter::{
    alter, convert_column, deletion_column, drop_column, drop_indexes, drop_table, forget_kind,
    indexes_of, kept_name, nameless, note_kind, remake, rename_column, rename_in_history,
    rename_table,
};
use crate::migrate::convert::Form;
use crate::statement::Statement;
use crate::storage::Storage;

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
