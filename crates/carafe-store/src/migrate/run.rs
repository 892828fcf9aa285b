//! Carrying a plan out, in a transaction of the caller's.

use carafe_model::name::Name;
use carafe_model::schema::Schema;

use crate::catalog::{self, Catalog};
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::migrate::change::Change;
use crate::migrate::facts::{Facts, Purpose};
use crate::migrate::migration::Migration;
use crate::migrate::{
    Accept, Doing, Later, Migrated, Plan, PlannedStep, Progress, plan as planning, untold, upkeep,
};
use crate::statement::{Identifier, Statement};
use crate::transaction::Transaction;
use crate::{postgres, sqlite, write};

/// Migrates: first by files that are new to the database, then by the declaration.
pub(crate) async fn migrate(
    tx: &mut impl Transaction,
    schema: &Schema,
    files: &[Migration],
    accept: Accept,
    progress: &Progress,
) -> Result<(Migrated, Vec<Later>)> {
    let dialect = tx.dialect();
    make_own(tx).await?;
    let known = migrations(tx).await?;
    let mut migrated = Migrated::default();
    for file in pending(&known, files)? {
        let title = format!("Applied `{}`", file.name);
        say(progress, &title);
        apply(tx, &file, accept).await?;
        record(tx, &file).await?;
        migrated.changes.push(title);
    }
    let mut changes = rename(tx, schema, progress).await?;
    let facts = Facts::read(tx, schema, Purpose::Migration, progress).await?;
    let plan = planning::plan(dialect, schema, &facts);
    if !plan.differences.is_empty() {
        return Err(Error::Incompatible(plan.differences));
    }
    let wanted = plan.changes.into_iter();
    for change in wanted.filter(|change| accept == Accept::Loss || !change.loses_data()) {
        carry_out(tx, &change, progress).await?;
        changes.push(change);
    }
    migrated.changes.extend(changes.iter().map(Change::title));
    if !changes.is_empty() {
        let mut names: Vec<String> = known.into_iter().map(|known| known.name).collect();
        names.extend(files.iter().map(|file| file.name.clone()));
        let made = Migration::of_changes(&changes, &names);
        record(tx, &made).await?;
        migrated.made = Some(made);
    }
    let later = keep_up(tx, schema, &mut migrated, progress).await?;
    Ok((migrated, later))
}

/// What would be done. The caller rolls back: what has an old name is renamed for a moment.
pub(crate) async fn plan(
    tx: &mut impl Transaction,
    schema: &Schema,
    files: &[Migration],
    progress: &Progress,
) -> Result<Plan> {
    let dialect = tx.dialect();
    let catalog = Catalog::read(tx).await?;
    let known = known(tx, &catalog).await?;
    let files = pending(&known, files)?;
    if !files.is_empty() {
        return Ok(Plan {
            files,
            ..Plan::default()
        });
    }
    let mut plan = Plan::default();
    let renamed = renames(tx, schema, &catalog).await?;
    for change in &renamed {
        // The name alone, without what depends on it.
        let statements = change.forward(dialect);
        let rename = |statement: &&Statement| statement.text().contains(" RENAME ");
        if let Some(statement) = statements.iter().find(rename) {
            without_triggers(tx, change.without_triggers()).await?;
            tx.run(statement).await?;
        }
    }
    let facts = Facts::read(tx, schema, Purpose::Plan, progress).await?;
    let planned = planning::plan(dialect, schema, &facts);
    plan.differences = planned.differences;
    let is_large = |table: &Name| facts.is_large(schema, table);
    for change in renamed.iter().chain(&planned.changes) {
        let statements = change.forward(dialect);
        plan.steps.push(PlannedStep {
            title: change.title(),
            sql: statements.iter().map(|sql| sql.text().to_owned()).collect(),
            loses_data: change.loses_data(),
            locks: change.rewrites().is_some_and(is_large),
        });
    }
    let mut quiet = Vec::new();
    for work in upkeep::plan(dialect, schema, &facts).works {
        let table_is_large = work.reads.as_ref().is_some_and(is_large);
        let beside_others = dialect == Dialect::Postgres && work.index.is_some();
        if let Some(title) = work.title.filter(|_| work.is_news || table_is_large) {
            plan.steps.push(PlannedStep {
                title,
                sql: vec![work.statement.text().to_owned()],
                loses_data: false,
                locks: table_is_large && !beside_others,
            });
        } else {
            quiet.push(work.statement.text().to_owned());
        }
    }
    if !quiet.is_empty() {
        plan.steps.push(PlannedStep {
            title: "Made what is kept beside the tables".to_owned(),
            sql: quiet,
            loses_data: false,
            locks: false,
        });
    }
    Ok(plan)
}

/// Why rows cannot be read as the declaration says before a migration, a line each. Nothing is
/// changed.
pub(crate) async fn shortcomings(
    tx: &mut impl Transaction,
    schema: &Schema,
) -> Result<Vec<String>> {
    let dialect = tx.dialect();
    let facts = Facts::read(tx, schema, Purpose::Plan, &untold()).await?;
    let mut lines = Vec::new();
    if !facts.catalog.has("_carafe_request") {
        lines.push("it has no tables of this version of Carafe".to_owned());
    }
    let plan = planning::plan(dialect, schema, &facts);
    lines.extend(plan.differences);
    lines.extend(plan.changes.iter().filter_map(Change::lack));
    Ok(lines)
}

/// Takes the last migration back, and returns it.
pub(crate) async fn undo(tx: &mut impl Transaction) -> Result<Option<Migration>> {
    make_own(tx).await?;
    let Some(last) = migrations(tx).await?.pop() else {
        return Ok(None);
    };
    let steps = last.steps(tx.dialect());
    let for_good: Vec<String> = steps
        .iter()
        .filter(|step| step.undo.is_empty())
        .map(|step| {
            format!(
                "migration `{}` does not say how to take back: {}",
                last.name, step.title
            )
        })
        .collect();
    if !for_good.is_empty() {
        return Err(Error::Incompatible(for_good));
    }
    for step in steps.iter().rev() {
        drop_triggers(tx, step.without_triggers.iter().map(String::as_str)).await?;
        // What was renamed is called by its new name now.
        let named = tables_in(&step.undo);
        drop_triggers(tx, named.iter().map(String::as_str)).await?;
        tx.batch(&step.undo).await?;
    }
    let mut forget = Statement::new(tx.dialect(), "DELETE FROM _carafe_migration WHERE name = ");
    forget.bind(last.name.as_str());
    tx.run(&forget).await?;
    Ok(Some(last))
}

/// The migrations that were done, in their order.
pub(crate) async fn migrations(tx: &mut impl Transaction) -> Result<Vec<Migration>> {
    let all = "SELECT name, text FROM _carafe_migration ORDER BY position";
    let rows = tx.rows(&Statement::new(tx.dialect(), all)).await?;
    let migration = |row| {
        let [name, text] = catalog::texts(row);
        Migration { name, text }
    };
    Ok(rows.into_iter().map(migration).collect())
}

/// Their names alone, in their order.
pub(crate) async fn names(tx: &mut impl Transaction) -> Result<Vec<String>> {
    let all = "SELECT name FROM _carafe_migration ORDER BY position";
    let rows = tx.rows(&Statement::new(tx.dialect(), all)).await?;
    let name = |row| {
        let [name] = catalog::texts(row);
        name
    };
    Ok(rows.into_iter().map(name).collect())
}

/// As [`migrations`], also where no migration ever was.
pub(crate) async fn known(tx: &mut impl Transaction, catalog: &Catalog) -> Result<Vec<Migration>> {
    match catalog.has("_carafe_migration") {
        true => migrations(tx).await,
        false => Ok(Vec::new()),
    }
}

/// Says that a database has seen these migrations and no others: its tables came from one that
/// has.
pub(crate) async fn replace_known(
    tx: &mut impl Transaction,
    migrations: &[Migration],
) -> Result<()> {
    tx.run(&Statement::new(
        tx.dialect(),
        "DELETE FROM _carafe_migration",
    ))
    .await?;
    for migration in migrations {
        record(tx, migration).await?;
    }
    Ok(())
}

async fn make_own(tx: &mut impl Transaction) -> Result<()> {
    let own = match tx.dialect() {
        Dialect::Sqlite => sqlite::ddl::own(),
        Dialect::Postgres => {
            // Two processes may start at once.
            tx.run(&write::one_at_a_time()).await?;
            postgres::ddl::own()
        }
    };
    for statement in &own {
        tx.run(statement).await?;
    }
    if tx.dialect() == Dialect::Sqlite && !tx.rows(&sqlite::ddl::lacks_moved()).await?.is_empty() {
        tx.run(&sqlite::ddl::add_moved()).await?;
    }
    Ok(())
}

/// The files that were not done yet, in the order of their names.
fn pending(known: &[Migration], files: &[Migration]) -> Result<Vec<Migration>> {
    let mut changed = Vec::new();
    let mut pending = Vec::new();
    for file in files {
        match known.iter().find(|known| known.name == file.name) {
            None => pending.push(file.clone()),
            Some(known)
                if known.steps(Dialect::Sqlite) != file.steps(Dialect::Sqlite)
                    || known.steps(Dialect::Postgres) != file.steps(Dialect::Postgres) =>
            {
                changed.push(format!(
                    "migration `{}` was applied in another form than its file has now; \
                     what is to change further belongs in a new one",
                    file.name
                ));
            }
            Some(_) => {}
        }
    }
    if !changed.is_empty() {
        return Err(Error::Incompatible(changed));
    }
    pending.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(pending)
}

async fn apply(tx: &mut impl Transaction, file: &Migration, accept: Accept) -> Result<()> {
    for step in file.steps(tx.dialect()) {
        if step.loses_data && accept != Accept::Loss {
            let line = format!(
                "migration `{}` loses data ({}); `carafe migrate --accept-loss` applies it",
                file.name, step.title
            );
            return Err(Error::Incompatible(vec![line]));
        }
        for table in &step.only_while_empty {
            refuse_rows(tx, file, table).await?;
        }
        drop_indexes_in_the_way(tx, &step.without_triggers, &step.sql).await?;
        drop_triggers(tx, step.without_triggers.iter().map(String::as_str)).await?;
        let applied = tx.batch(&step.sql).await;
        applied.map_err(|err| Error::Migration {
            name: file.name.clone(),
            cause: Box::new(err),
        })?;
    }
    Ok(())
}

/// Refuses a migration that is for an empty table only, where it has rows.
async fn refuse_rows(tx: &mut impl Transaction, file: &Migration, table: &str) -> Result<()> {
    let mut any = Statement::new(tx.dialect(), "SELECT 1 FROM ");
    any.identifier(&Identifier::found(table)).push(" LIMIT 1");
    if tx.rows(&any).await?.is_empty() {
        return Ok(());
    }
    Err(Error::Incompatible(vec![format!(
        "migration `{}` makes the table `{table}` anew, which has records here; write another one that keeps them",
        file.name
    )]))
}

/// Drops indexes of ours over columns that a step drops or puts aside, which SQLite does not do
/// by itself. Which there are depends on the database.
async fn drop_indexes_in_the_way(
    tx: &mut impl Transaction,
    tables: &[String],
    sql: &str,
) -> Result<()> {
    let mut columns = Vec::new();
    for before in ["DROP COLUMN \"", "RENAME COLUMN \"", "ALTER COLUMN \""] {
        let parts = sql.split(before).skip(1);
        columns.extend(parts.filter_map(|part| part.split('"').next().map(str::to_owned)));
    }
    if columns.is_empty() {
        return Ok(());
    }
    let catalog = Catalog::read(tx).await?;
    for table in tables.iter().filter_map(|table| Name::parse(table).ok()) {
        for index in catalog.ours(&table, "index") {
            let object = catalog.objects.get(&index);
            let is_in_the_way = object.is_some_and(|object| {
                let has = |column: &String| object.definition.contains(&format!("\"{column}\""));
                columns.iter().any(has)
            });
            if is_in_the_way {
                let mut drop = Statement::new(tx.dialect(), "DROP INDEX IF EXISTS ");
                drop.identifier(&Identifier::found(&index));
                tx.run(&drop).await?;
            }
        }
    }
    Ok(())
}

async fn record(tx: &mut impl Transaction, migration: &Migration) -> Result<()> {
    let mut sql = Statement::new(
        tx.dialect(),
        "INSERT INTO _carafe_migration (name, text) VALUES (",
    );
    sql.bind(migration.name.as_str())
        .push(", ")
        .bind(migration.text.as_str())
        .push(")");
    tx.run(&sql).await
}

/// Gives everything its new name, and returns what was renamed.
async fn rename(
    tx: &mut impl Transaction,
    schema: &Schema,
    progress: &Progress,
) -> Result<Vec<Change>> {
    let catalog = Catalog::read(tx).await?;
    let tables = planning::renamed_tables(tx.dialect(), schema, &catalog);
    for change in &tables {
        carry_out(tx, change, progress).await?;
    }
    let columns = renamed_columns(tx, schema).await?;
    for change in &columns {
        carry_out(tx, change, progress).await?;
    }
    Ok(tables.into_iter().chain(columns).collect())
}

/// As [`rename`], but nothing is renamed; columns of renamed tables are looked for in the old
/// ones.
async fn renames(
    tx: &mut impl Transaction,
    schema: &Schema,
    catalog: &Catalog,
) -> Result<Vec<Change>> {
    let mut changes = planning::renamed_tables(tx.dialect(), schema, catalog);
    for resource in &schema.resources {
        let there = match &resource.was {
            Some(was) if !catalog.has(resource.name.as_str()) => was,
            _ => &resource.name,
        };
        let columns = catalog::columns(tx, there).await?;
        let history = planning::has_history(tx.dialect(), there, catalog);
        changes.extend(planning::renamed_columns(resource, &columns, history));
    }
    Ok(changes)
}

async fn renamed_columns(tx: &mut impl Transaction, schema: &Schema) -> Result<Vec<Change>> {
    let catalog = Catalog::read(tx).await?;
    let mut changes = Vec::new();
    for resource in &schema.resources {
        let columns = catalog::columns(tx, &resource.name).await?;
        let history = planning::has_history(tx.dialect(), &resource.name, &catalog);
        changes.extend(planning::renamed_columns(resource, &columns, history));
    }
    Ok(changes)
}

async fn carry_out(tx: &mut impl Transaction, change: &Change, progress: &Progress) -> Result<()> {
    say(progress, &change.title());
    without_triggers(tx, change.without_triggers()).await?;
    for statement in change.forward(tx.dialect()) {
        tx.run(&statement).await?;
    }
    Ok(())
}

async fn without_triggers(tx: &mut impl Transaction, tables: Vec<&Name>) -> Result<()> {
    drop_triggers(tx, tables.into_iter().map(Name::as_str)).await
}

/// Drops the triggers of ours on some tables; the upkeep makes them anew.
async fn drop_triggers<'t>(
    tx: &mut impl Transaction,
    tables: impl Iterator<Item = &'t str>,
) -> Result<()> {
    let tables: Vec<Name> = tables.filter_map(|table| Name::parse(table).ok()).collect();
    if tables.is_empty() {
        return Ok(());
    }
    let catalog = Catalog::read(tx).await?;
    for table in &tables {
        for trigger in catalog.ours(table, "trigger") {
            let mut sql = Statement::new(tx.dialect(), "DROP TRIGGER ");
            sql.identifier(&Identifier::found(&trigger));
            if tx.dialect() == Dialect::Postgres {
                sql.push(" ON ").name(table);
            }
            tx.run(&sql).await?;
        }
    }
    Ok(())
}

/// The names that stand in quotes in a text.
fn tables_in(sql: &str) -> Vec<String> {
    let quoted = sql.split('"').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// Brings everything beside the columns to what it should be. Indexes that are better made while
/// others write are returned.
async fn keep_up(
    tx: &mut impl Transaction,
    schema: &Schema,
    migrated: &mut Migrated,
    progress: &Progress,
) -> Result<Vec<Later>> {
    let dialect = tx.dialect();
    let facts = Facts::read(tx, schema, Purpose::Upkeep, progress).await?;
    let is_large = |table: &Name| facts.is_large(schema, table);
    let mut later = Vec::new();
    let mut works = upkeep::plan(dialect, schema, &facts)
        .works
        .into_iter()
        .peekable();
    while let Some(work) = works.next() {
        if let Some(title) = &work.title {
            say(progress, title);
        }
        let large = work.reads.as_ref().is_some_and(is_large);
        match &work.index {
            Some(index) if large && dialect == Dialect::Postgres => {
                // With the note on its definition, which follows.
                let note = works.next().map(|note| note.statement);
                later.push(Later {
                    title: work.title.clone().unwrap_or_default(),
                    statements: postgres::ddl::index_later(index, &work.statement, note),
                });
            }
            _ => tx.run(&work.statement).await?,
        }
        migrated.changes.extend(work.title.filter(|_| work.is_news));
    }
    Ok(later)
}

fn say(progress: &Progress, title: &str) {
    progress(Doing {
        title: title.to_owned(),
        rows: None,
    });
}
