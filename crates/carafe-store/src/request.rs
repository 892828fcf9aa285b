//! Requests that may be repeated: what the first of them has created.

use carafe_model::key::Key;
use carafe_model::resource::Resource;
use carafe_model::value::Value;

use crate::dialect::Dialect;
use crate::statement::{Parameter, Statement};
use crate::table;

/// A request that creates a record at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks; keys of others are other keys.
    pub caller: String,
    /// What the caller calls the request.
    pub key: String,
    /// Tells what was asked from anything else.
    pub fingerprint: String,
    /// The values of the new record, to answer a repetition with.
    pub data: String,
    /// Requests up to this time (`YYYY-MM-DDTHH:MM:SS.ffffffZ`) are forgotten.
    pub forgotten: String,
}

/// What a request has created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub fingerprint: String,
    /// The name of the resource.
    pub resource: String,
    /// The key of the record, where it is not its id.
    pub record: Option<String>,
    pub id: i64,
    pub data: String,
}

/// Finds a row unless the request is remembered.
pub(crate) fn is_new(dialect: Dialect, request: &Request) -> Statement {
    let mut sql = Statement::new(
        dialect,
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM _carafe_request WHERE caller = ",
    );
    sql.bind(request.caller.as_str())
        .push(" AND key = ")
        .bind(request.key.as_str())
        .push(" AND at > ")
        .bind(request.forgotten.as_str())
        .push(")");
    sql
}

/// Forgets old requests, this one among them.
pub(crate) fn forget(dialect: Dialect, request: &Request) -> Statement {
    let mut sql = Statement::new(dialect, "DELETE FROM _carafe_request WHERE at <= ");
    sql.bind(request.forgotten.as_str());
    sql
}

/// Remembers what an insertion before has created.
pub(crate) fn remember(
    dialect: Dialect,
    request: &Request,
    resource: &Resource,
    key: Option<&Key>,
    at: &str,
) -> Statement {
    let mut sql = Statement::new(
        dialect,
        "INSERT INTO _carafe_request \
         (caller, key, fingerprint, resource, record, id, data, at) VALUES (",
    );
    let record = key.map(ToString::to_string);
    sql.bind(request.caller.as_str())
        .push(", ")
        .bind(request.key.as_str())
        .push(", ")
        .bind(request.fingerprint.as_str())
        .push(", ")
        .bind(resource.name.as_str())
        .push(", ")
        .bind(record.as_deref())
        .push(", ");
    table::bind_id(&mut sql, resource, Parameter::InsertedId);
    sql.push(", ")
        .bind(request.data.as_str())
        .push(", ")
        .bind(at)
        .push(")");
    sql
}

/// What the request of a caller has created since a time.
pub(crate) fn find(dialect: Dialect, caller: &str, key: &str, since: &str) -> Statement {
    let mut sql = Statement::new(
        dialect,
        "SELECT fingerprint, resource, record, id, data FROM _carafe_request WHERE caller = ",
    );
    sql.bind(caller)
        .push(" AND key = ")
        .bind(key)
        .push(" AND at > ")
        .bind(since);
    sql
}

impl Remembered {
    /// A row of [`find`].
    pub(crate) fn from_values(row: Vec<Value>) -> Self {
        let id = match row[3] {
            Value::Integer(id) => id,
            Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => 0,
        };
        let mut texts = row.into_iter().map(|value| match value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => None,
        });
        let mut text = || texts.next().flatten();
        Self {
            fingerprint: text().unwrap_or_default(),
            resource: text().unwrap_or_default(),
            record: text(),
            id,
            // Behind the id, which is no text.
            data: text().or_else(text).unwrap_or_default(),
        }
    }
}
