//! `carafe migrate`

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use carafe_model::schema::Schema;
use carafe_store::store::{Accept, Database, Doing, Migration, Plan, PlannedStep, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use crate::application::{self, explain};
use crate::args::Migrate;
use crate::config::DatabaseConfig;
use crate::migrations;

/// Shows what is to be done, does it, or takes the last of it back.
pub(crate) fn run(args: &Migrate) -> Result<()> {
    let schema = application::read_schema(&args.folder)?;
    let files = migrations::read(&args.folder)?;
    let config = DatabaseConfig::from(&args.database);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start")?;
    runtime.block_on(async {
        let database = application::open(&config)?;
        let outcome = match (args.plan, args.undo) {
            (true, _) => show(&database, &schema, &files).await,
            (false, true) => undo(&database).await,
            (false, false) => apply(&database, &schema, &files, args).await,
        };
        database.close().await;
        outcome
    })
}

async fn show(database: &Database, schema: &Arc<Schema>, files: &[Migration]) -> Result<()> {
    let bar = Bar::new();
    let plan = database.plan(schema, files, &bar.progress()).await;
    bar.end();
    print!("{}", describe(&plan.map_err(explain)?));
    Ok(())
}

async fn undo(database: &Database) -> Result<()> {
    match database.undo().await.map_err(explain)? {
        None => println!("There is no migration to take back."),
        Some(migration) => println!(
            "Took back `{0}`.\n\n\
             The declaration must be again what it was before. The file migrations/{0}.sql stays:\n\
             edit it to apply it anew, or delete it.",
            migration.name
        ),
    }
    Ok(())
}

async fn apply(
    database: &Database,
    schema: &Arc<Schema>,
    files: &[Migration],
    args: &Migrate,
) -> Result<()> {
    let accept = match args.accept_loss {
        true => Accept::Loss,
        false => Accept::Safe,
    };
    let bar = Bar::new();
    let migrated = database
        .migrate(schema, files, accept, &bar.progress())
        .await;
    bar.end();
    let migrated = migrated.map_err(explain)?;
    for change in &migrated.changes {
        println!("{change}");
    }
    let known = database.migrations().await.map_err(explain)?;
    for path in migrations::write_missing(&args.folder, &known)? {
        println!("Wrote {}", path.display());
    }
    let left = database
        .plan(schema, &known, &untold())
        .await
        .map_err(explain)?;
    let lossy: Vec<&PlannedStep> = left.steps.iter().filter(|step| step.loses_data).collect();
    if migrated.changes.is_empty() && lossy.is_empty() {
        println!("Nothing to do: the tables are as the declaration says.");
    }
    if !lossy.is_empty() {
        println!("\nLeft to be done, because data would be lost:");
        for step in lossy {
            println!("  {}", to_do(&step.title));
        }
        println!("\n`carafe migrate --accept-loss` does that too.");
    }
    Ok(())
}

fn untold() -> Progress {
    carafe_store::store::untold()
}

/// A plan for people.
fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    for file in &plan.files {
        text.push_str(&format!(
            "Apply migrations/{}.sql\n\n{}\n",
            file.name,
            indented(&file.text)
        ));
    }
    if !plan.files.is_empty() {
        text.push_str("What else the declaration changes is known when these are applied.\n");
    }
    for (number, step) in (1..).zip(&plan.steps) {
        let marks = match (step.loses_data, step.locks) {
            (true, true) => "  [LOSES DATA, LOCKS A LARGE TABLE]",
            (true, false) => "  [LOSES DATA]",
            (false, true) => "  [LOCKS A LARGE TABLE]",
            (false, false) => "",
        };
        text.push_str(&format!("{number}. {}{marks}\n", to_do(&step.title)));
        for sql in &step.sql {
            text.push_str(&format!("{};\n", indented(sql).trim_end()));
        }
        text.push('\n');
    }
    if !plan.differences.is_empty() {
        text.push_str("What cannot be done:\n");
        for line in &plan.differences {
            text.push_str(&format!("  - {line}\n"));
        }
    }
    if text.is_empty() {
        text.push_str("Nothing to do: the tables are as the declaration says.\n");
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("     {line}\n")).collect()
}

/// ``Add field `notes.pinned` `` from ``Added field `notes.pinned` ``.
pub(crate) fn to_do(title: &str) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("Added", "Add"),
        ("Began", "Begin"),
        ("Converted", "Convert"),
        ("Created", "Create"),
        ("Dropped", "Drop"),
        ("Let", "Let"),
        ("Made", "Make"),
        ("Renamed", "Rename"),
    ];
    let (first, rest) = title.split_once(' ').unwrap_or((title, ""));
    match WORDS.iter().find(|(done, _)| *done == first) {
        Some((_, word)) => format!("{word} {rest}"),
        None => title.to_owned(),
    }
}

/// What a migration is doing, on standard error where that is a terminal.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    pub(crate) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(Some(bar))
    }

    pub(crate) fn progress(&self) -> Progress {
        let Some(bar) = self.0.clone() else {
            return untold();
        };
        let rows = "{spinner} {msg}  {bar:30} {human_pos} of {human_len} rows, {eta} left";
        let with_rows = ProgressStyle::with_template(rows);
        let plain = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
        Arc::new(move |doing: Doing| {
            match (doing.rows, &with_rows, &plain) {
                (Some((done, all)), Ok(style), _) => {
                    bar.set_style(style.clone());
                    bar.set_length(all);
                    bar.set_position(done);
                }
                (None, _, Ok(style)) => bar.set_style(style.clone()),
                // The templates are ours.
                (_, _, _) => {}
            }
            bar.set_message(doing.title);
        })
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_costs_what() {
        let step = |title: &str, loses_data, locks| PlannedStep {
            title: title.to_owned(),
            sql: vec!["ALTER TABLE x".to_owned(), "UPDATE y".to_owned()],
            loses_data,
            locks,
        };
        let plan = Plan {
            files: Vec::new(),
            steps: vec![
                step("Added field `notes.a`", false, false),
                step("Dropped field `notes.b`", true, true),
            ],
            differences: vec!["field `notes.c`: no".to_owned()],
        };
        let expected = "\
1. Add field `notes.a`
     ALTER TABLE x;
     UPDATE y;

2. Drop field `notes.b`  [LOSES DATA, LOCKS A LARGE TABLE]
     ALTER TABLE x;
     UPDATE y;

What cannot be done:
  - field `notes.c`: no
";
        assert_eq!(describe(&plan), expected);
        assert!(describe(&Plan::default()).starts_with("Nothing to do"));
    }
}
