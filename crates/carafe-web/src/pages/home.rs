//! The first page: which resources there are.

use carafe_model::query::Query;
use carafe_model::resource::Resource;
use carafe_service::error::Error;
use http::StatusCode;
use minijinja::value::Value;

use crate::error::Problem;
use crate::pages::visit::{PageResult, View, Visit};

/// `GET /`
///
/// # Errors
///
/// What the service refuses.
pub async fn show(visit: &Visit<'_>) -> PageResult {
    let mut counts = Vec::new();
    let schema = &visit.site.links.schema;
    for resource in &schema.resources {
        if resource.pages.is_some() && resource.parent.is_none() {
            let count = count(visit, resource).await?;
            counts.push((resource.name.as_str(), Value::from(count)));
        }
    }
    visit.render(View {
        status: StatusCode::OK,
        template: "home.html",
        title: schema.name.clone(),
        resource: None,
        values: vec![("counts", Value::from_pairs(counts))],
    })
}

/// How many records there are, `None` for somebody who may not know.
async fn count(visit: &Visit<'_>, resource: &Resource) -> Result<Option<u64>, Problem> {
    let query = Query::all(&resource.order);
    let call = visit.call;
    let counted = call
        .app
        .service
        .list(&call.actor, resource, &query, &mut |_| {})
        .await;
    match counted {
        Ok(total) => Ok(Some(total.count)),
        Err(Error::Forbidden) => Ok(None),
        Err(error) => Err(Problem::from_service(
            error,
            resource,
            carafe_model::resource::Method::Get,
        )),
    }
}
