//! Merge patch and JSON Patch (contract 65 to 71).

use serde_json::{Value, json};

use crate::support::{Reply, TestApp};

const DOCUMENTS: &str = r#"
[resources.things]
[resources.things.fields]
name = { type = "string", default = "unnamed" }
note = { type = "string", optional = true }
data = { type = "json", optional = true }
created_at = { type = "datetime", set = "create" }
"#;

async fn patch(app: &TestApp, kind: &str, body: Value) -> Reply {
    app.request("PATCH", "/api/things/1")
        .header("content-type", kind)
        .body(body.to_string())
        .send()
        .await
}

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";

#[tokio::test]
async fn a_merge_patch_at_record_level_is_an_object() {
    let app = TestApp::new(DOCUMENTS).await;
    app.post("/api/things", json!({ "name": "a", "note": "n" }))
        .await;
    for body in [json!([]), json!("x"), json!(null), json!(1)] {
        assert_eq!(patch(&app, MERGE, body.clone()).await.status, 400, "{body}");
    }
    let unchanged = patch(&app, MERGE, json!({})).await;
    assert_eq!(
        (unchanged.status, &unchanged.json()["name"]),
        (200, &json!("a"))
    );
    let cleared = patch(&app, MERGE, json!({ "note": null, "name": null }))
        .await
        .json();
    assert_eq!(
        (&cleared["note"], &cleared["name"]),
        (&json!(null), &json!("unnamed"))
    );
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/Merge-Patch+JSON",
    ] {
        assert_eq!(
            patch(&app, kind, json!({ "name": "b" })).await.status,
            200,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_merge_patch_goes_into_json_fields() {
    // RFC 7396, appendix A: original, patch, result.
    let cases = [
        (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
        (json!({"a":"b"}), json!({"a":null}), json!({})),
        (
            json!({"a":"b","b":"c"}),
            json!({"a":null}),
            json!({"b":"c"}),
        ),
        (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
        (
            json!({"a":{"b":"c"}}),
            json!({"a":{"b":"d","c":null}}),
            json!({"a":{"b":"d"}}),
        ),
        (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a":"b"}), json!(["c"]), json!(["c"])),
        (json!({"a":"foo"}), json!("bar"), json!("bar")),
        (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
        (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
        (
            json!({}),
            json!({"a":{"bb":{"ccc":null}}}),
            json!({"a":{"bb":{}}}),
        ),
    ];
    let app = TestApp::new(DOCUMENTS).await;
    app.post("/api/things", json!({ "name": "a" })).await;
    for (original, change, result) in cases {
        let put = app
            .request("PUT", "/api/things/1")
            .json(json!({ "name": "a", "data": original }))
            .send()
            .await;
        assert_eq!(put.status, 200, "{original}");
        let patched = patch(&app, MERGE, json!({ "data": change })).await;
        assert_eq!(
            (patched.status, &patched.json()["data"]),
            (200, &result),
            "{original} with {change}"
        );
    }
    // Null at the field itself clears it.
    assert_eq!(
        patch(&app, MERGE, json!({ "data": null })).await.json()["data"],
        Value::Null
    );
}

#[tokio::test]
async fn a_json_patch_is_all_or_nothing() {
    let app = TestApp::new(DOCUMENTS).await;
    app.post(
        "/api/things",
        json!({ "name": "a", "data": {"list": [1, 2], "a/b": 1, "m~n": 2, "": 3} }),
    )
    .await;
    let data = |reply: &Reply| reply.json()["data"].clone();
    let cases = [
        (json!([{"op":"replace","path":"/name","value":"b"}]), 200),
        (
            json!([{"op":"test","path":"/name","value":"b"},{"op":"replace","path":"/name","value":"c"}]),
            200,
        ),
        (
            json!([{"op":"replace","path":"/name","value":"x"},{"op":"test","path":"/name","value":"y"}]),
            409,
        ),
        (
            json!([{"op":"replace","path":"/name","value":"x"},{"op":"remove","path":"/nothing"}]),
            400,
        ),
        (json!([{"op":"replace","path":"/id","value":7}]), 400),
        (
            json!([{"op":"replace","path":"/created_at","value":"2020-01-01T00:00:00Z"}]),
            400,
        ),
        (json!([{"op":"add","path":"/unknown","value":7}]), 400),
        (json!([{"op":"replace","path":"/name","value":7}]), 400),
        (json!([{"op":"remove","path":""}]), 400),
        (json!([{"op":"replace","path":"","value":[]}]), 400),
        (json!([{"op":"frob","path":"/name"}]), 400),
        (json!([{"op":"replace","path":"name","value":"x"}]), 400),
        (json!({"op":"replace"}), 400),
        (json!([{"op":"add","path":"/data/list/-","value":3}]), 200),
        (json!([{"op":"add","path":"/data/list/01","value":3}]), 400),
        (json!([{"op":"add","path":"/data/list/9","value":3}]), 400),
        (
            json!([{"op":"replace","path":"/data/a~1b","value":10}]),
            200,
        ),
        (
            json!([{"op":"replace","path":"/data/m~0n","value":20}]),
            200,
        ),
        (json!([{"op":"replace","path":"/data/","value":30}]), 200),
        (
            json!([{"op":"move","from":"/data/list","path":"/data/moved"}]),
            200,
        ),
        (json!([{"op":"copy","from":"/name","path":"/note"}]), 200),
        (json!([{"op":"remove","path":"/note"}]), 200),
        (json!([]), 200),
    ];
    for (body, expected) in cases {
        let before = app.get("/api/things/1").await;
        let reply = patch(&app, JSON, body.clone()).await;
        assert_eq!(reply.status, expected, "{body}: {}", reply.text());
        let after = app.get("/api/things/1").await;
        match expected {
            200 => assert_eq!(reply.json(), after.json(), "{body}"),
            _ => assert_eq!(before.json(), after.json(), "{body}"),
        }
    }
    let end = app.get("/api/things/1").await;
    assert_eq!(end.json()["name"], "c");
    assert_eq!(
        data(&end),
        json!({"moved": [1, 2, 3], "a/b": 10, "m~n": 20, "": 30})
    );
}

#[tokio::test]
async fn a_patch_that_grows_without_end_is_refused() {
    let app = TestApp::new(DOCUMENTS).await;
    app.post(
        "/api/things",
        json!({ "name": "a", "data": {"a": "x".repeat(1000)} }),
    )
    .await;
    let mut operations = Vec::new();
    for number in 0..30 {
        operations.push(json!({"op":"copy","from":"/data","path":format!("/data/copy{number}")}));
    }
    assert_eq!(
        patch(&app, JSON, Value::Array(operations)).await.status,
        400
    );
    let many: Vec<Value> = (0..1000)
        .map(|_| json!({"op":"test","path":"/name","value":"a"}))
        .collect();
    assert_eq!(patch(&app, JSON, Value::Array(many)).await.status, 400);
}

#[tokio::test]
async fn the_whole_result_is_checked() {
    let app = TestApp::new("[resources.notes]\n[resources.notes.fields]\ntitle = { type = \"string\" }\nsize = { type = \"integer\", max = 5, optional = true }\n").await;
    app.post("/api/notes", json!({ "title": "a" })).await;
    let send = |body: Value| {
        app.request("PATCH", "/api/notes/1")
            .header("content-type", JSON)
            .body(body.to_string())
            .send()
    };
    let removed = send(json!([{"op":"remove","path":"/title"}])).await;
    assert_eq!(
        (removed.status, &removed.json()["error"]),
        (400, &json!("Title is required"))
    );
    let large = send(json!([{"op":"add","path":"/size","value":6}])).await;
    assert_eq!(
        (large.status, &large.json()["errors"][0]["code"]),
        (400, &json!("too_large"))
    );
    assert_eq!(
        send(json!([{"op":"add","path":"/size","value":5}]))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_json_patch_loses_no_digit_no_depth_and_no_twin() {
    let app = TestApp::new(DOCUMENTS).await;
    app.post("/api/things", json!({ "name": "a" })).await;
    let raw = |kind: &str, body: &str| {
        let request = app
            .request("PATCH", "/api/things/1")
            .header("content-type", kind);
        request.body(body.to_owned()).send()
    };
    let exact = r#"{"data":{"n":12345678901234567890123,"z":1}}"#;
    assert_eq!(raw(MERGE, exact).await.status, 200);
    let refused = [
        r#"[{"op":"replace","path":"/data/z","value":2}]"#,
        r#"[{"op":"replace","path":"/name","value":"b"},{"op":"add","path":"/data","value":0.12345678901234567890}]"#,
        r#"[{"op":"replace","path":"/data","value":{"b":1,"b":2}}]"#,
        r#"[{"op":"replace","path":"/name","path":"/note","value":"x"}]"#,
    ];
    for body in refused {
        assert_eq!(raw(JSON, body).await.status, 400, "{body}");
    }
    assert!(
        app.get("/api/things/1")
            .await
            .text()
            .contains("12345678901234567890123")
    );
    // What does not touch the number is fine.
    assert_eq!(
        raw(JSON, r#"[{"op":"replace","path":"/name","value":"b"}]"#)
            .await
            .status,
        200
    );
    assert_eq!(raw(MERGE, r#"{"data":{}}"#).await.status, 200);
    assert_eq!(
        raw(JSON, r#"[{"op":"replace","path":"/data","value":{}}]"#)
            .await
            .status,
        400,
        "the number is there"
    );
    assert_eq!(raw(MERGE, r#"{"data":null}"#).await.status, 200);
    let deep: Vec<Value> = (0..100)
        .map(|depth| json!({ "op": "add", "path": format!("/data{}", "/a".repeat(depth)), "value": {} }))
        .collect();
    let reply = patch(&app, JSON, Value::Array(deep)).await;
    assert_eq!(
        (reply.status, &reply.json()["errors"][0]["field"]),
        (400, &json!("data"))
    );
    assert_eq!(patch(&app, JSON, json!([])).await.status, 200);
}

#[tokio::test]
async fn a_test_that_fails_is_409_however_the_race_goes() {
    let app =
        TestApp::new("[resources.stock.fields]\nquantity = { type = \"integer\", min = 0 }\n")
            .await;
    app.post("/api/stock", json!({ "quantity": 20 })).await;
    let take = |app: TestApp| async move {
        loop {
            let now = app.get("/api/stock/1").await.json()["quantity"]
                .as_i64()
                .unwrap();
            let body = json!([{"op":"test","path":"/quantity","value":now},{"op":"replace","path":"/quantity","value":now - 1}]);
            let request = app
                .request("PATCH", "/api/stock/1")
                .header("content-type", JSON);
            match request.body(body.to_string()).send().await.status {
                409 => {}
                status => return status,
            }
        }
    };
    let takers: Vec<_> = (0..30).map(|_| tokio::spawn(take(app.clone()))).collect();
    let mut statuses = Vec::new();
    for taker in takers {
        statuses.push(taker.await.unwrap());
    }
    let taken = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(
        (
            taken,
            statuses.iter().filter(|status| **status == 400).count()
        ),
        (20, 10),
        "{statuses:?}"
    );
}
