//! The OpenAPI document itself: where it is, and that it is valid.

use serde_json::Value;

use crate::conformance::validator;
use crate::support::{TestApp, workspace};

/// Every type of field and every setting that the API shows.
async fn everything() -> TestApp {
    TestApp::copy_of(&workspace().join("tests/openapi/everything")).await
}

#[tokio::test]
async fn the_document_is_under_every_prefix_and_under_api() {
    let app = TestApp::new(
        "[api]\nprefix = [\"/v1\", \"/v2\"]\n[resources.notes.fields]\na = { type = \"string\" }",
    )
    .await;
    let document = app.get("/api/openapi.json").await;
    assert_eq!(document.json()["openapi"], "3.1.1");
    for path in ["/v1/openapi.json", "/v2/openapi.json"] {
        assert_eq!(app.get(path).await.json(), document.json(), "{path}");
    }
    let again = app
        .request("GET", "/api/openapi.json")
        .header("if-none-match", document.header("etag"));
    assert_eq!(again.send().await.status, 304);
    let post = app.post("/api/openapi.json", Value::Null).await;
    assert_eq!(
        (post.status, post.header("allow")),
        (405, "GET, HEAD, OPTIONS")
    );
    assert_eq!(post.header("content-type"), "application/problem+json");
    let ids: Vec<&str> = ["/v1/notes", "/v2/notes"]
        .map(|path| document.json()["paths"][path]["get"]["operationId"].clone())
        .iter()
        .map(|id| id.as_str().unwrap_or_default().to_owned().leak() as &str)
        .collect();
    assert_eq!(ids, ["list_notes", "list_notes_v2"]);
}

#[tokio::test]
async fn operations_are_named_once_and_examples_are_valid() {
    let app = everything().await;
    let document = app.get("/api/openapi.json").await.json();
    let mut ids: Vec<String> = Vec::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            ids.extend(operation["operationId"].as_str().map(str::to_owned));
        }
    }
    let count = ids.len();
    assert!(count > 100, "{count} operations");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
    let mut examples = 0;
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for example in schema["examples"].as_array().unwrap_or(&Vec::new()) {
            examples += 1;
            let validator = validator(&document, schema);
            let errors: Vec<String> = validator
                .iter_errors(example)
                .map(|e| e.to_string())
                .collect();
            assert!(errors.is_empty(), "{name}: {errors:?}: {example}");
        }
    }
    assert!(examples > 15, "{examples} examples");
}

#[tokio::test]
async fn a_prefix_within_another_is_a_prefix_too() {
    for prefixes in ["\"/api\", \"/api/v0\"", "\"/api/v0\", \"/api\""] {
        let app = TestApp::new(&format!(
            "[api]\nprefix = [{prefixes}]\n[resources.notes.fields]\na = {{ type = \"string\" }}"
        ))
        .await;
        for path in ["/api/notes", "/api/v0/notes"] {
            assert_eq!(app.get(path).await.status, 200, "{path} under {prefixes}");
        }
    }
}

/// Each example of a body is accepted where it is sent.
#[tokio::test]
async fn a_body_that_is_an_example_is_accepted() {
    let app = everything().await;
    let document = app.get("/api/openapi.json").await.json();
    for (path, component) in [
        ("/api/makers", "NewMaker"),
        ("/api/things", "NewThing"),
        ("/api/places", "NewPlace"),
        ("/api/things/1/comments", "NewComment"),
    ] {
        let example = &document["components"]["schemas"][component]["examples"][0];
        let reply = app.post(path, example.clone()).await;
        assert_eq!(reply.status, 201, "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn links_lead_from_a_new_record_to_its_operations() {
    let app = TestApp::of("users").await;
    let document = app.get("/api/openapi.json").await.json();
    let links = &document["paths"]["/api/v1/users"]["post"]["responses"]["201"]["links"];
    let names: Vec<&String> = links.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "create_email",
            "delete_user",
            "get_user",
            "list_emails",
            "replace_user",
            "update_user"
        ]
    );
    assert_eq!(links["get_user"]["parameters"]["id"], "$response.body#/id");
}

#[tokio::test]
async fn what_is_deprecated_says_so_in_each_answer() {
    let app = TestApp::new(
        "[resources.notes]
        deprecated = { since = \"2026-01-01\", sunset = \"2027-01-01\", link = \"/news\" }
        [resources.notes.fields]
        a = { type = \"string\" }",
    )
    .await;
    let document = app.get("/api/openapi.json").await.json();
    let get = &document["paths"]["/api/notes"]["get"];
    assert_eq!(get["deprecated"], true);
    for status in ["200", "400"] {
        assert!(
            get["responses"][status]["headers"].get("Sunset").is_some(),
            "{status}"
        );
    }
    assert!(app.get("/api/notes").await.has("sunset"));
}

#[tokio::test]
async fn operations_whose_requests_are_counted_can_be_refused() {
    let notes = "[resources.notes.fields]\na = { type = \"string\" }";
    for (limits, read, write) in [
        ("", false, false),
        ("[limits]\nrate = \"9/hour\"", true, true),
        ("[limits]\nwrite_rate = \"9/hour\"", false, true),
    ] {
        let app = TestApp::new(&format!("{limits}\n{notes}")).await;
        let document = app.get("/api/openapi.json").await.json();
        let paths = &document["paths"];
        for (path, method, status, counted) in [
            ("/api/notes", "get", "200", read),
            ("/api/notes", "post", "201", write),
            ("/api/notes/{id}", "get", "200", read),
            ("/api/notes/{id}", "patch", "200", write),
            ("/api/notes/{id}", "delete", "204", write),
        ] {
            let replies = &paths[path][method]["responses"];
            let context = format!("{limits}: {method} {path}");
            assert_eq!(replies.get("429").is_some(), counted, "{context}");
            let headers = &replies[status]["headers"];
            assert_eq!(headers.get("RateLimit").is_some(), counted, "{context}");
        }
    }
}

#[tokio::test]
async fn limits_of_the_declaration_stand_in_the_schemas() {
    let app = everything().await;
    let document = app.get("/api/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    let thing = &schemas["NewThing"];
    assert_eq!(thing["additionalProperties"], false);
    assert_eq!(thing["required"], serde_json::json!(["title", "maker"]));
    let count = &thing["properties"]["count"];
    assert_eq!(
        (&count["minimum"], &count["maximum"]),
        (&0.into(), &1000.into())
    );
    assert_eq!(thing["properties"]["title"]["maxLength"], 40);
    assert!(schemas["Maker"]["properties"].get("secret").is_none());
    let notes = TestApp::notes().await.get("/api/openapi.json").await.json();
    assert_eq!(
        notes["components"]["schemas"]["NewNote"]["additionalProperties"],
        true
    );
}
