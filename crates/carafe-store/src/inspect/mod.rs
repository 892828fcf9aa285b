//! What tables are in a database that another program may have made.

mod check;
mod default;
mod held;
mod postgres;
mod read;
mod sqlite;
mod table;
mod token;

pub use read::tables;
pub use table::{Column, DefaultValue, ForeignKey, Held, Index, OnDelete, Relation, Table};
