//! How far the ids of a resource were given out: none is ever given twice.

use carafe_model::resource::Resource;
use carafe_model::value::Value;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::statement::Statement;
use crate::transaction::Transaction;
use crate::{table, write};

/// The highest id that was given; `None` where the resource never had a record.
pub(super) async fn given(tx: &mut impl Transaction, resource: &Resource) -> Result<Option<i64>> {
    let dialect = tx.dialect();
    if !tx.rows(&write::unused(dialect, resource)).await?.is_empty() {
        return Ok(None);
    }
    let mut sql = Statement::new(dialect, "SELECT ");
    match dialect {
        Dialect::Sqlite => {
            sql.push("seq FROM sqlite_sequence WHERE name = ")
                .bind(resource.name.as_str());
        }
        Dialect::Postgres => {
            sql.push("CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM ")
                .identifier(&table::sequence(dialect, resource));
        }
    }
    let rows = tx.rows(&sql).await?;
    Ok(match rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(id)) => Some(*id),
        _ => Some(0),
    })
}

/// Lets no id up to this one be given any more, and lets the resource count as one that had
/// records.
pub(super) async fn give(tx: &mut impl Transaction, resource: &Resource, id: i64) -> Result<()> {
    let dialect = tx.dialect();
    for statement in statements(dialect, resource, id) {
        tx.rows(&statement).await?;
    }
    Ok(())
}

fn statements(dialect: Dialect, resource: &Resource, id: i64) -> [Statement; 2] {
    let name = resource.name.as_str();
    match dialect {
        Dialect::Sqlite => {
            // Inserting rows has raised it to the highest of their ids.
            let mut raise = Statement::new(dialect, "UPDATE sqlite_sequence SET seq = max(seq, ");
            raise.bind(id).push(") WHERE name = ").bind(name);
            let mut make =
                Statement::new(dialect, "INSERT INTO sqlite_sequence (name, seq) SELECT ");
            make.bind(name)
                .push(", ")
                .bind(id.max(1))
                .push(" WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ");
            make.bind(name).push(")");
            [raise, make]
        }
        Dialect::Postgres => {
            let sequence = table::sequence(dialect, resource);
            let mut raise = Statement::new(dialect, "SELECT setval('");
            raise.identifier(&sequence);
            raise
                .push("', greatest(last_value, ")
                .bind(id)
                .push("), is_called OR ")
                .bind(id)
                .push(" >= last_value) FROM ")
                .identifier(&sequence);
            let mut make = Statement::new(
                dialect,
                "INSERT INTO _carafe_count (resource, slot, live, deleted) VALUES (",
            );
            make.bind(name)
                .push(", 0, 0, 0) ON CONFLICT (resource, slot) DO NOTHING");
            [raise, make]
        }
    }
}
