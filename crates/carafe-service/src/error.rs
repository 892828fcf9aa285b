//! Why a verb was not carried out, grouped by what the caller can do about it.

use carafe_model::fault::{Code, Fault};
use carafe_model::name::Name;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use carafe_store::error::{Cause, Error as StoreError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such record, or none that this actor may see.
    #[error("there is no such record in {resource}")]
    NotFound { resource: Name },
    /// Every fault of the input, not only the first.
    #[error("some values were not accepted")]
    Invalid(Vec<Fault>),
    /// Nothing was sent where something must be; the faults name what is required.
    #[error("no data was provided")]
    Empty(Vec<Fault>),
    /// The caller has given the key of another request.
    #[error("the request's key was used for another request")]
    KeyReused,
    /// Other records hold values that must be unique; one fault a field.
    #[error("a value is already taken")]
    Taken(Vec<Fault>),
    /// Records of this resource refer to the record, so it cannot be deleted.
    #[error("records of {resource} refer to this record")]
    Referenced {
        resource: Name,
        label_plural: String,
    },
    /// The record cannot be restored while the one that this field refers to is deleted.
    #[error("the record that `{field}` refers to is deleted")]
    ParentDeleted { field: Name, label: String },
    /// The record is in another version than the caller's precondition names.
    #[error("the record has changed")]
    Stale,
    /// The actor is known and may not do this.
    #[error("not allowed")]
    Forbidden,
    /// No space is left to store anything. Reading goes on.
    #[error("there is no space left")]
    Full(#[source] Cause),
    /// Trying again later may help.
    #[error("the service is not available")]
    Unavailable(#[source] Cause),
    /// Ours to fix: logged whole, never shown.
    #[error("internal error")]
    Internal(#[source] Cause),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What a store's error means to somebody who asked for `resource`.
    pub(crate) fn from_store(error: StoreError, schema: &Schema, resource: &Resource) -> Self {
        match error {
            StoreError::Stale => Error::Stale,
            // The service looks for what was remembered instead.
            StoreError::Repeated => {
                Error::Unavailable("the request was forgotten meanwhile".into())
            }
            StoreError::Taken { unique } => Error::Taken(
                resource.unique[unique]
                    .iter()
                    .map(|&position| {
                        resource.fields[position].fault(Code::Taken, "is already taken")
                    })
                    .collect(),
            ),
            StoreError::KeyTaken => {
                let key = &resource.key.field;
                let message = format!("{} is already taken", key.to_label());
                Error::Taken(vec![Fault::field(key.as_str(), Code::Taken, message)])
            }
            StoreError::NoReference { field } => {
                let field = &resource.fields[field];
                Error::Invalid(vec![
                    field.fault(Code::Reference, "refers to a record that is not there"),
                ])
            }
            StoreError::Referenced { resource } => {
                let referrer = &schema.resources[resource];
                Error::Referenced {
                    resource: referrer.name.clone(),
                    label_plural: referrer.label_plural.clone(),
                }
            }
            StoreError::ParentDeleted { field } => {
                let field = &resource.fields[field];
                Error::ParentDeleted {
                    field: field.name.clone(),
                    label: field.label.clone(),
                }
            }
            StoreError::Member { resource, cause } => {
                let member = &schema.resources[resource];
                match Self::from_store(*cause, schema, member) {
                    // It is no field of the record that was to be restored.
                    Error::Taken(faults) => Error::Taken(
                        faults
                            .into_iter()
                            .map(|fault| {
                                let message = format!(
                                    "{} that was deleted with it: {}",
                                    member.label, fault.message
                                );
                                Fault::field("deleted_at", fault.code, message)
                            })
                            .collect(),
                    ),
                    other => other,
                }
            }
            StoreError::Full(cause) => Error::Full(cause),
            StoreError::Unavailable(cause) => Error::Unavailable(cause),
            StoreError::Incompatible(_) | StoreError::Migration { .. } => {
                Error::Internal(error.into())
            }
            StoreError::Other(cause) => Error::Internal(cause),
        }
    }
}
