//! An open transaction, on either database, for what cannot be said in one list of statements
//! beforehand.

use carafe_model::resource::Resource;
use carafe_model::value::Value;

use crate::dialect::Dialect;
use crate::error::Result;
use crate::statement::Statement;

/// Who has begun the transaction ends it: after an error it is rolled back.
pub(crate) trait Transaction {
    fn dialect(&self) -> Dialect;

    /// Reads rows.
    async fn rows(&mut self, statement: &Statement) -> Result<Vec<Vec<Value>>>;

    /// Runs a statement.
    async fn run(&mut self, statement: &Statement) -> Result<()>;

    /// Runs SQL that a person may have written: any number of statements.
    async fn batch(&mut self, sql: &str) -> Result<()>;

    /// Runs a statement that writes rows of a resource; a unique rule that is broken is an error
    /// of its own.
    async fn write(&mut self, resource: &Resource, statement: &Statement) -> Result<()>;
}
