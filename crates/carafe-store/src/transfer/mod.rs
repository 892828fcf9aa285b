//! Moving an application with all its data from one database to another: every row of every
//! resource, their history, the requests that are remembered, and how far ids were given out.

mod batch;
mod compare;
mod failure;
mod ids;
mod run;
mod sheet;
mod side;

pub use failure::Failure;
pub use run::{Moved, Phase, Progress, run};
