//! The pages that bring deleted records back. Their list is the resource's own, with
//! `?deleted=only`.

use carafe_model::key::Key;
use carafe_model::record::Record;
use carafe_model::resource::{Method, Resource};

use crate::api::deleted::Which;
use crate::error::Problem;
use crate::link::Target;
use crate::pages::record::{offered, record_path, redirect, refused, show_record};
use crate::pages::site::Offer;
use crate::pages::visit::{PageResult, Visit};

/// `GET /{resource}/{key}/restore`: shows the record and asks, and changes nothing.
///
/// # Errors
///
/// 404 where no deleted record has the key, or records are not deleted on pages.
pub async fn confirm(visit: &Visit<'_>, resource: &Resource, key: &Key) -> PageResult {
    let record = require(visit, resource, key).await?;
    let title = format!("Restore {}", resource.label);
    show_record(
        visit,
        resource,
        record,
        "restore.html",
        Some(title),
        Vec::new(),
    )
    .await
}

/// `POST /{resource}/{key}/restore`: 303 to the record.
///
/// # Errors
///
/// 404 where no deleted record has the key; 409 where a unique value is taken or a record that
/// it belongs to is deleted; what the service refuses.
pub async fn restore(visit: &Visit<'_>, resource: &Resource, key: &Key) -> PageResult {
    let record = require(visit, resource, key).await?;
    let service = &visit.call.app.service;
    let restored = service
        .restore(&visit.call.actor, resource, &record)
        .await
        .map_err(|error| refused(error, resource, Method::Patch))?;
    let to = record_path(visit, resource, &restored.key, Target::Detail);
    Ok(redirect(to, &resource.flash.restored))
}

/// The deleted record of the path, if it belongs to the parent of the path.
///
/// # Errors
///
/// 404 where there is none, or records are not deleted on pages.
pub(crate) async fn require(
    visit: &Visit<'_>,
    resource: &Resource,
    key: &Key,
) -> Result<Record, Problem> {
    offered(resource, Offer::Delete)?;
    let which = Which::of(visit.call, resource).unwrap_or(Which::Last);
    let record = which
        .find(visit.call, resource, key)
        .await
        .map_err(|error| refused(error, resource, Method::Get))?;
    match (&resource.parent, &visit.parent) {
        (Some(parent), Some(key)) if record.values[parent.field] != key.to_value() => {
            Err(Problem::not_found())
        }
        _ => Ok(record),
    }
}
