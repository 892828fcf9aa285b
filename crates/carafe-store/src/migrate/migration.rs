//! Migrations as text: what was done to a database's tables, to be read, reviewed, edited and
//! done again elsewhere.
//!
//! A file is SQL with comments that say what is for which database:
//!
//! ```sql
//! -- step: Added field `notes.pinned`
//! -- sqlite
//! ALTER TABLE "notes" ADD COLUMN "pinned" INTEGER;
//! -- postgres
//! ALTER TABLE "notes" ADD COLUMN "pinned" bigint;
//! -- undo sqlite
//! ALTER TABLE "notes" DROP COLUMN "pinned";
//! -- undo postgres
//! ALTER TABLE "notes" DROP COLUMN "pinned";
//! ```
//!
//! `-- both` and `-- undo both` are for both databases, and so is SQL without any such comment.
//! `-- without triggers: notes` drops Carafe's triggers on that table before the step; they are
//! made anew afterwards, with the counters and the search index.

use crate::dialect::Dialect;
use crate::migrate::change::Change;
use crate::statement::Statement;

/// A migration by its name, `0002_add_notes_pinned`, which also is its file's without `.sql`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    pub name: String,
    pub text: String,
}

/// A step of a migration, for one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Tables whose triggers are in the way.
    pub(crate) without_triggers: Vec<String>,
    pub(crate) sql: String,
    pub(crate) undo: String,
}

impl Migration {
    /// Writes changes down, under the number that follows those of `known` names.
    pub(crate) fn of_changes(changes: &[Change], known: &[String]) -> Self {
        let number = known.iter().filter_map(|name| number(name)).max();
        let about = changes.first().map_or_else(String::new, Change::slug);
        let name = format!("{:04}_{about}", number.unwrap_or(0) + 1);
        let mut text = format!(
            "-- Carafe migration {name}\n\
             --\n\
             -- Read it, edit it before it is applied, and keep it with the declaration. It is\n\
             -- applied once to each database, in one transaction.\n"
        );
        for change in changes {
            text.push_str(&format!("\n-- step: {}\n", change.title()));
            for table in change.without_triggers() {
                text.push_str(&format!("-- without triggers: {table}\n"));
            }
            let [sqlite, postgres] = BOTH.map(|dialect| sql(&change.forward(dialect)));
            sections(&mut text, "", &sqlite, &postgres);
            let [sqlite, postgres] = BOTH.map(|dialect| sql(&change.backward(dialect)));
            sections(&mut text, "undo ", &sqlite, &postgres);
        }
        Self { name, text }
    }

    /// The steps for a database, in their order.
    pub(crate) fn steps(&self, dialect: Dialect) -> Vec<Step> {
        let mut steps = vec![Step::default()];
        let mut section = Section::Both;
        for line in self.text.lines() {
            let Some(step) = steps.last_mut() else { break };
            let comment = line.trim().strip_prefix("--").map(str::trim);
            if comment.is_some_and(|comment| comment.starts_with("step:")) {
                steps.push(Step::default());
                section = Section::Both;
            } else if let Some(table) =
                comment.and_then(|comment| comment.strip_prefix("without triggers:"))
            {
                step.without_triggers.push(table.trim().to_owned());
            } else if let Some(named) = comment.and_then(Section::named) {
                section = named;
            } else if comment.is_none() && !line.trim().is_empty() {
                let text = match section {
                    Section::Both => &mut step.sql,
                    Section::UndoBoth => &mut step.undo,
                    Section::Of(other) if other == dialect => &mut step.sql,
                    Section::UndoOf(other) if other == dialect => &mut step.undo,
                    Section::Of(_) | Section::UndoOf(_) => continue,
                };
                text.push_str(line);
                text.push('\n');
            }
        }
        steps.retain(|step| !step.sql.is_empty() || !step.undo.is_empty());
        steps
    }
}

const BOTH: [Dialect; 2] = [Dialect::Sqlite, Dialect::Postgres];

#[derive(Clone, Copy)]
enum Section {
    Both,
    Of(Dialect),
    UndoBoth,
    UndoOf(Dialect),
}

impl Section {
    fn named(comment: &str) -> Option<Self> {
        Some(match comment {
            "both" => Section::Both,
            "sqlite" => Section::Of(Dialect::Sqlite),
            "postgres" => Section::Of(Dialect::Postgres),
            "undo both" => Section::UndoBoth,
            "undo sqlite" => Section::UndoOf(Dialect::Sqlite),
            "undo postgres" => Section::UndoOf(Dialect::Postgres),
            _ => return None,
        })
    }
}

fn sections(text: &mut String, undo: &str, sqlite: &str, postgres: &str) {
    if sqlite == postgres {
        if !sqlite.is_empty() {
            text.push_str(&format!("-- {undo}both\n{sqlite}"));
        }
        return;
    }
    text.push_str(&format!(
        "-- {undo}sqlite\n{sqlite}-- {undo}postgres\n{postgres}"
    ));
}

fn sql(statements: &[Statement]) -> String {
    let lines = statements
        .iter()
        .map(|statement| format!("{};\n", statement.text()));
    lines.collect()
}

/// `2` of `0002_add_notes_pinned`.
fn number(name: &str) -> Option<u32> {
    name.split('_').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_has_its_own_steps() {
        let migration = Migration {
            name: "0001_a".to_owned(),
            text: "-- a comment\nSELECT 0;\n-- step: One\n-- without triggers: notes\n-- sqlite\nSELECT 1;\n\
                   -- postgres\nSELECT 2;\n-- undo both\nSELECT 3;\n-- step: Two\nSELECT 4;\n  SELECT 5;\n"
                .to_owned(),
        };
        let step = |tables: &[&str], sql: &str, undo: &str| Step {
            without_triggers: tables.iter().map(|&table| table.to_owned()).collect(),
            sql: sql.to_owned(),
            undo: undo.to_owned(),
        };
        let last = step(&[], "SELECT 4;\n  SELECT 5;\n", "");
        assert_eq!(
            migration.steps(Dialect::Sqlite),
            [
                step(&[], "SELECT 0;\n", ""),
                step(&["notes"], "SELECT 1;\n", "SELECT 3;\n"),
                last.clone()
            ]
        );
        assert_eq!(
            migration.steps(Dialect::Postgres)[1..],
            [step(&["notes"], "SELECT 2;\n", "SELECT 3;\n"), last]
        );
    }
}
