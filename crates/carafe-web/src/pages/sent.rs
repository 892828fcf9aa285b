//! What comes of a form that was sent: the forms of records and of documents end alike.

use carafe_model::fault::{Code, Fault};
use carafe_model::key::Key;
use carafe_model::record::Record;
use carafe_model::resource::{AfterCreate, Method, Pages, Resource};
use carafe_service::access::Action;
use carafe_service::error::{Error, Result as Written};
use http::StatusCode;

use crate::error::{Kind, Problem};
use crate::form::{Edition, Purpose};
use crate::link::Target;
use crate::pages::record::{find, new_path, record_path, redirect};
use crate::pages::sheet::Sheet;
use crate::pages::visit::{Page, Visit};

/// What came of a form; `T` is what stands in its inputs.
pub(super) enum Sent<T> {
    /// It is stored: 303 to where that is seen.
    Stored(Page),
    /// The form again, with what was typed.
    Again(Sheet<T>),
}

impl<T> Sent<T> {
    /// 303 to the record that was made, or to the form again where the declaration says so.
    pub(super) fn created(
        visit: &Visit<'_>,
        resource: &Resource,
        pages: &Pages,
        typed: T,
        made: Written<Record>,
    ) -> Result<Self, Problem> {
        let record = match made {
            Ok(record) => record,
            Err(error) => {
                let sheet = Sheet::rejected(error, resource, Method::Post, Purpose::New, typed);
                return sheet.map(Sent::Again);
            }
        };
        let to = match pages.after_create {
            AfterCreate::Record => record_path(visit, resource, &record.key, Target::Detail),
            AfterCreate::Form => new_path(visit, resource),
        };
        Ok(Sent::Stored(redirect(to, &resource.flash.created)))
    }

    /// 303 to the record that was changed from `current`; where somebody else was quicker, the
    /// form beside what is stored now.
    pub(super) async fn updated(
        visit: &Visit<'_>,
        resource: &Resource,
        current: Record,
        typed: T,
        changed: Written<Record>,
    ) -> Result<Self, Problem> {
        match changed {
            Ok(record) => {
                let to = record_path(visit, resource, &record.key, Target::Detail);
                Ok(Sent::Stored(redirect(to, &resource.flash.updated)))
            }
            Err(Error::Stale) => {
                let fresh = find(visit, Action::Update, resource, &current.key).await?;
                Ok(Sent::Again(Sheet::conflicting(typed, fresh)))
            }
            Err(error) => {
                let sheet = Sheet::rejected(error, resource, Method::Put, Purpose::Edit, typed)?;
                Ok(Sent::Again(Sheet {
                    record: Some(current),
                    ..sheet
                }))
            }
        }
    }
}

/// The version that an edit form was filled from.
///
/// # Errors
///
/// 400 where the form has none.
pub(super) fn version(typed: Option<Edition>) -> Result<Edition, Problem> {
    let error = "The form has no version of the record";
    typed.ok_or_else(|| Problem::new(Kind::BadForm, StatusCode::BAD_REQUEST, error))
}

/// The form again, with what was typed, where its token was missing or wrong. Nothing is
/// stored; sent once more, it carries a good token.
///
/// # Errors
///
/// 404 where `key` names no record.
pub(super) async fn without_token<T>(
    visit: &Visit<'_>,
    resource: &Resource,
    key: Option<&Key>,
    typed: T,
) -> Result<Sheet<T>, Problem> {
    let purpose = match key {
        Some(_) => Purpose::Edit,
        None => Purpose::New,
    };
    let mut sheet = Sheet::new(StatusCode::BAD_REQUEST, purpose, typed);
    let text = "The form was too old, or not sent from this site. Check it and send it again";
    sheet.faults.push(Fault::body(Code::Required, text));
    if let Some(key) = key {
        sheet.record = Some(find(visit, Action::Update, resource, key).await?);
    }
    Ok(sheet)
}
