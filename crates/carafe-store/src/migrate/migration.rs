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
//! made anew afterwards, with the counters and the search index. `-- only while empty: notes`
//! refuses where that table has rows, and `-- loses data` where nobody has agreed to that.

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
    pub(crate) title: String,
    /// Tables whose triggers are in the way.
    pub(crate) without_triggers: Vec<String>,
    /// Tables that must have no rows.
    pub(crate) only_while_empty: Vec<String>,
    pub(crate) loses_data: bool,
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
            if let Some(table) = change.only_while_empty() {
                text.push_str(&format!("-- only while empty: {table}\n"));
            }
            if change.loses_data() {
                text.push_str(&format!("-- {LOSES_DATA}\n"));
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
        let mut in_text = false;
        for line in self.text.lines() {
            let Some(step) = steps.last_mut() else { break };
            let comment = line.trim().strip_prefix("--").map(str::trim);
            // A line of a text in quotes says nothing to us.
            let comment = comment.filter(|_| !in_text);
            let after = |word: &str| comment.and_then(|comment| comment.strip_prefix(word));
            if let Some(title) = after("step:") {
                steps.push(Step {
                    title: title.trim().to_owned(),
                    ..Step::default()
                });
                section = Section::Both;
            } else if let Some(table) = after("without triggers:") {
                step.without_triggers.push(table.trim().to_owned());
            } else if let Some(table) = after("only while empty:") {
                step.only_while_empty.push(table.trim().to_owned());
            } else if comment == Some(LOSES_DATA) {
                step.loses_data = true;
            } else if let Some(named) = comment.and_then(Section::named) {
                section = named;
            } else if in_text || comment.is_none() {
                let text = match section {
                    Section::Both => Some(&mut step.sql),
                    Section::UndoBoth => Some(&mut step.undo),
                    Section::Of(other) if other == dialect => Some(&mut step.sql),
                    Section::UndoOf(other) if other == dialect => Some(&mut step.undo),
                    Section::Of(_) | Section::UndoOf(_) => None,
                };
                if let Some(text) = text
                    && (in_text || !line.trim().is_empty())
                {
                    text.push_str(line);
                    text.push('\n');
                }
                in_text = ends_in_text(line, in_text);
            }
        }
        steps.retain(|step| !step.sql.is_empty() || !step.undo.is_empty());
        steps
    }
}

/// Says that values are gone after a step.
const LOSES_DATA: &str = "loses data";

/// Whether a text in quotes that is open at the start of a line, or opened in it, is open at its
/// end.
fn ends_in_text(line: &str, mut in_text: bool) -> bool {
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            // A doubled quote closes and opens.
            '\'' => in_text = !in_text,
            '-' if !in_text && characters.peek() == Some(&'-') => return false,
            _ => {}
        }
    }
    in_text
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
                   -- postgres\nSELECT 2;\n-- undo both\nSELECT 3;\n-- step: Two\n-- loses data\nSELECT 'a\n\n-- sqlite\n'; -- it's\n  SELECT 5;\n"
                .to_owned(),
        };
        let step = |title: &str, tables: &[&str], sql: &str, undo: &str| Step {
            title: title.to_owned(),
            only_while_empty: Vec::new(),
            loses_data: title == "Two",
            without_triggers: tables.iter().map(|&table| table.to_owned()).collect(),
            sql: sql.to_owned(),
            undo: undo.to_owned(),
        };
        let last = step(
            "Two",
            &[],
            "SELECT 'a\n\n-- sqlite\n'; -- it's\n  SELECT 5;\n",
            "",
        );
        assert_eq!(
            migration.steps(Dialect::Sqlite),
            [
                step("", &[], "SELECT 0;\n", ""),
                step("One", &["notes"], "SELECT 1;\n", "SELECT 3;\n"),
                last.clone()
            ]
        );
        assert_eq!(
            migration.steps(Dialect::Postgres)[1..],
            [step("One", &["notes"], "SELECT 2;\n", "SELECT 3;\n"), last]
        );
    }
}
