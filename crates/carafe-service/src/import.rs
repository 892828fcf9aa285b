//! Imports: many records at once, all or none, by the rules of one.

use carafe_model::actor::Actor;
use carafe_model::draft::Input;
use carafe_model::resource::Resource;
use carafe_store::import::{ImportRow, Imported, Part, Refused};
use carafe_store::store::Stamp;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::access::{Action, authorize};
use crate::error::{Error, Result};
use crate::service::Service;

/// A record that is to be imported, or why it cannot be read.
pub struct Line {
    /// The line that it stands on, rising.
    pub number: u64,
    pub input: Result<Input>,
}

/// Parts that wait for the database.
const PARTS_WAITING: usize = 4;

/// The lines that are refused here, before the database sees them.
type Faulty = Refused<Error>;

impl Service {
    /// Creates the records that come through `lines`, in their order and with the same time, all
    /// or none, and says which lines are refused. All lines are looked at, also after one that is
    /// refused. Hooks after writes are not told. Where [`Part::Keep`] does not come, records are
    /// checked only, by the database too.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`]; [`Error::Full`], [`Error::Unavailable`] or [`Error::Internal`]
    /// whichever line it came at. Nothing is stored then.
    pub async fn import(
        &self,
        actor: &Actor,
        resource: &Resource,
        lines: Receiver<Part<Line>>,
    ) -> Result<Imported<Error>> {
        authorize(actor, Action::Create, resource)?;
        let stamp = self.stamp(actor);
        let (parts, queue) = channel(PARTS_WAITING);
        let check = self.check_lines(actor, resource, &stamp, lines, parts);
        let store = self.store.import(resource, stamp.clone(), queue);
        let (faulty, imported) = tokio::join!(check, store);
        let imported = imported.map_err(|error| self.error(error, resource))?;
        let mut refused = imported.refused.map(|error| self.error(error, resource));
        refused.extend(faulty?);
        Ok(Imported {
            accepted: imported.accepted,
            refused,
        })
    }

    /// Hands what can be stored on to the store, and keeps what cannot.
    async fn check_lines(
        &self,
        actor: &Actor,
        resource: &Resource,
        stamp: &Stamp,
        mut lines: Receiver<Part<Line>>,
        parts: Sender<Part<ImportRow>>,
    ) -> Result<Faulty> {
        let mut faulty = Faulty::default();
        while let Some(part) = lines.recv().await {
            let part = match part {
                Part::Keep if !faulty.is_empty() => break,
                Part::Keep => Part::Keep,
                Part::Rows(lines) => {
                    let mut rows = Vec::with_capacity(lines.len());
                    for line in lines {
                        let number = line.number;
                        match self.check_line(actor, resource, stamp, line).await {
                            Ok(row) => rows.push(row),
                            Err(error) if is_of_line(&error) => faulty.note(number, error),
                            Err(error) => return Err(error),
                        }
                    }
                    Part::Rows(rows)
                }
            };
            if parts.send(part).await.is_err() {
                // The store has failed, and says why.
                break;
            }
        }
        Ok(faulty)
    }

    async fn check_line(
        &self,
        actor: &Actor,
        resource: &Resource,
        stamp: &Stamp,
        line: Line,
    ) -> Result<ImportRow> {
        let checked = self.check_new(actor, resource, None, line.input?, stamp);
        let (key, values) = checked.await?;
        Ok(ImportRow {
            number: line.number,
            key,
            values,
        })
    }
}

/// Whether an error is about the one line that met it, and others may be well.
fn is_of_line(error: &Error) -> bool {
    match error {
        Error::Invalid(_) | Error::Empty(_) | Error::Taken(_) => true,
        Error::NotFound { .. }
        | Error::KeyReused
        | Error::Referenced { .. }
        | Error::ParentDeleted { .. }
        | Error::Stale
        | Error::Forbidden
        | Error::Full(_)
        | Error::Unavailable(_)
        | Error::Internal(_) => false,
    }
}
