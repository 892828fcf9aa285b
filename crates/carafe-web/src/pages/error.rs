//! Refusals for people, and the explanation of each kind of problem.

use http::StatusCode;
use minijinja::value::Value;

use crate::error::{Kind, Problem};
use crate::escape;
use crate::pages::visit::{Page, PageResult, View, Visit};

/// The page that a refusal is: the application's `404.html` and the like, its `error.html`, or
/// ours. A template that fails here is logged, and the page is as plain as can be.
pub fn show(visit: &Visit<'_>, problem: &Problem) -> Page {
    let status = problem.status;
    let own = format!("{}.html", status.as_str());
    let template = match visit.site.templates.has(&own) {
        true => own.as_str(),
        false => "error.html",
    };
    let faults = problem
        .faults
        .iter()
        .map(|fault| Value::from(fault.message.as_str()));
    let rendered = visit.render(View {
        status,
        template,
        title: problem.kind.title(status).to_owned(),
        resource: None,
        values: vec![
            ("status", Value::from(status.as_u16())),
            ("error", Value::from(problem.error.as_str())),
            ("detail", Value::from(problem.detail.as_deref())),
            ("faults", faults.collect()),
            ("request_id", Value::from(visit.call.id.to_string())),
        ],
    });
    rendered.unwrap_or_else(|failed| {
        tracing::error!(template, cause = ?failed.cause, "The error page `{template}` failed");
        plain(problem)
    })
}

/// A page that needs no template.
#[must_use]
pub fn plain(problem: &Problem) -> Page {
    let title = escape::html(problem.kind.title(problem.status));
    let error = escape::html(&problem.error);
    Page::Html {
        status: problem.status,
        body: format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{error}</p>\n\
             </body>\n</html>\n"
        )
        .into(),
    }
}

/// `GET /problems/{slug}`: what a kind of problem means and what to do.
///
/// # Errors
///
/// 404 for a kind that there is not.
pub fn explain(visit: &Visit<'_>, slug: &str) -> PageResult {
    let kind = Kind::NAMED
        .into_iter()
        .find(|kind| kind.slug() == Some(slug))
        .ok_or_else(Problem::not_found)?;
    visit.render(View {
        status: StatusCode::OK,
        template: "problem.html",
        title: kind.title(StatusCode::BAD_REQUEST).to_owned(),
        resource: None,
        values: vec![("explanation", Value::from(kind.explanation()))],
    })
}
