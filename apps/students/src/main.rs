//! The students: an API and pages by declaration, and beside them three routes with verbs in
//! their paths that answer in texts of their own, over the same service.

use std::process::ExitCode;

use carafe::axum::Router;
use carafe::axum::extract::{Path, State};
use carafe::axum::http::StatusCode;
use carafe::axum::response::{IntoResponse, Response};
use carafe::axum::routing::{delete, patch, put};
use carafe::serde_json::{Map, Value};
use carafe::{App, Collection, JsonBody, Refusal, Service};

#[cfg(test)]
mod tests;

/// Where the declaration is, unless the command line names another folder.
const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> ExitCode {
    let app = App::from_file(FOLDER).and_then(|app| app.needs("students"));
    carafe::run(app.map(with_routes))
}

fn with_routes(app: App) -> App {
    let routes = Router::new()
        .route("/student/delete/{index}", delete(remove))
        .route("/student/update/{index}", put(replace))
        .route("/student/update/{item}/{index}", patch(change));
    app.routes(routes)
}

/// `DELETE /student/delete/{index}`
async fn remove(
    State(service): State<Service>,
    Path(index): Path<String>,
) -> Result<&'static str, Response> {
    let deleted = students(&service).delete(&index).await;
    deleted.map_err(|refusal| refuse(&index, refusal))?;
    Ok("Record deleted..")
}

/// `PUT /student/update/{index}`: the body is the whole record.
async fn replace(
    State(service): State<Service>,
    Path(index): Path<String>,
    body: Result<JsonBody, Refusal>,
) -> Result<&'static str, Response> {
    let students = students(&service);
    let found = students.get(&index).await;
    found.map_err(|refusal| refuse(&index, refusal))?;
    let JsonBody(record) = body.map_err(IntoResponse::into_response)?;
    let replaced = students.replace(&index, &record).await;
    replaced.map_err(|refusal| refuse(&index, refusal))?;
    Ok("Entire record updated..")
}

/// `PATCH /student/update/{item}/{index}`: of the body only the field that the path names is
/// taken.
async fn change(
    State(service): State<Service>,
    Path((item, index)): Path<(String, String)>,
    body: Result<JsonBody, Refusal>,
) -> Result<String, Response> {
    let students = students(&service);
    let found = students.get(&index).await;
    let student = found.map_err(|refusal| refuse(&index, refusal))?;
    let JsonBody(body) = body.map_err(IntoResponse::into_response)?;
    let value = body
        .get(&item)
        .filter(|_| item != "id" && student.get(&item).is_some());
    let Some(value) = value else {
        return Err((StatusCode::BAD_REQUEST, "Key does not exist..").into_response());
    };
    let patch = Value::Object(Map::from_iter([(item.clone(), value.clone())]));
    let changed = students.merge(&index, &patch).await;
    changed.map_err(|refusal| refuse(&index, refusal))?;
    Ok(format!("{item} record patched... {index}"))
}

fn students(service: &Service) -> Collection {
    Collection::of(service, "students").expect("the declaration has students")
}

/// The text for a record that is not there; anything else is told as the API tells it.
fn refuse(index: &str, refusal: Refusal) -> Response {
    match refusal.status() {
        status @ StatusCode::NOT_FOUND => {
            (status, format!("{index} ID does not exist..")).into_response()
        }
        _ => refusal.into_response(),
    }
}
