//! A form as it is to be shown: what was typed, and what is wrong with it.

use carafe_model::fault::Fault;
use carafe_model::record::Record;
use carafe_model::resource::{Method, Resource};
use carafe_service::error::Error;
use http::StatusCode;

use crate::error::Problem;
use crate::form::{Edition, Purpose};

/// A form of a record or a document; `T` is what stands in its inputs.
pub(super) struct Sheet<T> {
    pub(super) status: StatusCode,
    pub(super) purpose: Purpose,
    pub(super) typed: T,
    pub(super) faults: Vec<Fault>,
    /// The record that is edited, as it is stored now.
    pub(super) record: Option<Record>,
    /// Somebody else has changed the record: both texts are shown.
    pub(super) conflict: bool,
}

impl<T> Sheet<T> {
    pub(super) fn new(status: StatusCode, purpose: Purpose, typed: T) -> Self {
        Self {
            status,
            purpose,
            typed,
            faults: Vec::new(),
            record: None,
            conflict: false,
        }
    }

    /// The form again, where `error` is about what was typed.
    pub(super) fn rejected(
        error: Error,
        resource: &Resource,
        method: Method,
        purpose: Purpose,
        typed: T,
    ) -> Result<Self, Problem> {
        let taken = matches!(error, Error::Taken(_));
        let shown = taken || matches!(error, Error::Invalid(_) | Error::Empty(_));
        let mut problem = Problem::from_service(error, resource, method);
        if !shown {
            return Err(problem);
        }
        // The declaration may have a sentence of its own for it.
        if let (true, Some(fault)) = (taken, problem.faults.first_mut()) {
            fault.message.clone_from(&problem.error);
        }
        Ok(Self {
            faults: problem.faults,
            ..Self::new(problem.status, purpose, typed)
        })
    }

    /// The form with what was typed beside `stored`, which somebody else has saved meanwhile.
    pub(super) fn conflicting(typed: T, stored: Record) -> Self {
        Self {
            record: Some(stored),
            conflict: true,
            ..Self::new(StatusCode::CONFLICT, Purpose::Edit, typed)
        }
    }

    /// `New Note` or `Edit Note`.
    pub(super) fn title(&self, resource: &Resource) -> String {
        match self.purpose {
            Purpose::New => format!("New {}", resource.label),
            Purpose::Edit => format!("Edit {}", resource.label),
        }
    }

    /// The record that somebody else has changed, if one has.
    pub(super) fn conflict(&self) -> Option<&Record> {
        self.record.as_ref().filter(|_| self.conflict)
    }

    /// The version that saving the form changes: the one that `typed` says, or the one beside
    /// which it is shown.
    pub(super) fn version(&self, typed: Option<Edition>) -> Option<Edition> {
        self.conflict().map(Edition::of).or(typed)
    }

    /// `form.html`, or `conflict.html` with both texts.
    pub(super) fn template(&self) -> &'static str {
        match self.conflict() {
            Some(_) => "conflict.html",
            None => "form.html",
        }
    }
}
