//! Limits of requests at their edges: what is at one is taken, and what is beyond it is refused.

use std::fmt::Display;

use carafe_model::query::{FILTERS_MAX, IN_MAX, PAGE_MAX};
use carafe_web::api::patch::OPERATIONS_MAX;
use carafe_web::wire::{HEADER_FIELDS_MAX, TARGET_BYTES_MAX};
use serde_json::{Value, json};

use crate::support::TestApp;

/// Values with something between them.
fn joined<T: Display>(values: impl Iterator<Item = T>, between: &str) -> String {
    let values: Vec<String> = values.map(|value| value.to_string()).collect();
    values.join(between)
}

#[tokio::test]
async fn queries_have_limits() {
    let fields: String = (0..100)
        .map(|number| format!("f{number:02} = {{ type = \"integer\", optional = true }}\n"))
        .collect();
    let app = TestApp::new(&format!("[resources.notes.fields]\n{fields}")).await;
    let list = async |query: String| app.get(&format!("/api/notes?{query}")).await;
    let filters = |count: usize| {
        let filters = (0..count).map(|number| {
            let comparison = ["gte", "gt", "lte", "lt"][number % 4];
            format!("f{:02}__{comparison}=0", number / 4)
        });
        joined(filters, "&")
    };
    let values = |count: usize| format!("f00__in={}", joined(0..count, ","));
    let cases = [
        (format!("page={PAGE_MAX}"), 200),
        (format!("page={}", PAGE_MAX + 1), 400),
        ("page=0".to_owned(), 400),
        ("per_page=100".to_owned(), 200),
        ("per_page=101".to_owned(), 400),
        (values(IN_MAX), 200),
        (values(IN_MAX + 1), 400),
        (filters(FILTERS_MAX), 200),
        // Those that every list has are counted along.
        (filters(FILTERS_MAX + 20), 400),
    ];
    for (query, expected) in cases {
        let reply = list(query.clone()).await;
        assert_eq!(reply.status, expected, "{query}: {}", reply.text());
    }
}

#[tokio::test]
async fn bodies_have_limits() {
    let app = TestApp::new(
        "[limits]\ndepth = 8\n[resources.notes.fields]\nextra = { type = \"json\" }\n",
    )
    .await;
    let nested = |depth: usize| -> Value {
        // The body itself is one.
        (1..depth).fold(json!(1), |inner, _| json!([inner]))
    };
    for (depth, expected) in [(8, 201), (9, 400), (60, 400)] {
        let reply = app
            .post("/api/notes", json!({ "extra": nested(depth) }))
            .await;
        assert_eq!(reply.status, expected, "{depth}: {}", reply.text());
    }
    let patch = async |count: usize| {
        let operation = json!({ "op": "replace", "path": "/extra", "value": 1 });
        let body = Value::Array(vec![operation; count]).to_string();
        let request = app.request("PATCH", "/api/notes/1");
        let request = request.header("content-type", "application/json-patch+json");
        request.body(body).send().await
    };
    assert_eq!(patch(OPERATIONS_MAX).await.status, 200);
    assert_eq!(patch(OPERATIONS_MAX + 1).await.status, 400);
}

#[tokio::test]
async fn heads_have_limits() {
    let app = TestApp::new("[resources.notes.fields]\na = { type = \"string\" }\n").await;
    let path = |bytes: usize| {
        let start = "/api/notes?a=";
        format!("{start}{}", "x".repeat(bytes - start.len()))
    };
    for (bytes, expected) in [(TARGET_BYTES_MAX, 200), (TARGET_BYTES_MAX + 1, 414)] {
        assert_eq!(
            app.get(&path(bytes)).await.status,
            expected,
            "{bytes} bytes"
        );
    }
    let fields = async |count: usize| {
        let fields: String = (2..count)
            .map(|number| format!("x-{number}: 1\r\n"))
            .collect();
        let head =
            format!("GET /api/notes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
        app.raw(&head).await
    };
    for (count, expected) in [(HEADER_FIELDS_MAX, 200), (HEADER_FIELDS_MAX + 1, 431)] {
        let reply = fields(count).await;
        assert!(
            reply.starts_with(&format!("HTTP/1.1 {expected} ")),
            "{count}: {reply}"
        );
    }
}
