//! An open transaction, on either database, for what cannot be said in one list of statements
//! beforehand.

use carafe_model::resource::Resource;
use carafe_model::value::Value;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::statement::Statement;
use crate::storage::Storage;

/// Who has begun the transaction ends it: after an error it is rolled back.
pub(crate) trait Transaction {
    fn dialect(&self) -> Dialect;

    /// Reads rows.
    async fn rows(&mut self, statement: &Statement) -> Result<Vec<Vec<Value>>> {
        self.rows_up_to(statement, usize::MAX).await
    }

    /// Reads rows, up to the first at which their texts have `bytes_max` bytes.
    async fn rows_up_to(
        &mut self,
        statement: &Statement,
        bytes_max: usize,
    ) -> Result<Vec<Vec<Value>>>;

    /// Runs a statement.
    async fn run(&mut self, statement: &Statement) -> Result<()>;

    /// Runs SQL that a person may have written: any number of statements.
    async fn batch(&mut self, sql: &str) -> Result<()>;

    /// Runs a statement that writes rows of a resource; a unique rule that is broken is an error
    /// of its own.
    async fn write(&mut self, resource: &Resource, statement: &Statement) -> Result<()>;

    /// Runs a statement for many rows, whose values are kept in these ways: one with holes once
    /// for each in SQLite, one with holes for arrays once for all in PostgreSQL.
    async fn fill(
        &mut self,
        statement: &Statement,
        storages: &[Storage],
        rows: &[Vec<Value>],
    ) -> Result<()>;
}
