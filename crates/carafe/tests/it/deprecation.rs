//! What the declaration calls deprecated says so on every answer.

use crate::support::TestApp;

const DECLARATION: &str = r#"
[api]
prefix = ["/api/v1", "/api/v2"]
cors = ["*"]
[api.deprecated]
"/api/v1" = { since = "2026-01-31", sunset = "2027-01-31", link = "/changes" }
[resources.notes.fields]
title = { type = "string", max_length = 10 }
[resources.tags]
deprecated = "2030-01-31"
[resources.tags.fields]
title = { type = "string" }
"#;

const OF_PREFIX: &str = "@1769817600";
const OF_TAGS: &str = "@1896048000";

#[tokio::test]
async fn a_deprecated_prefix_or_resource_says_so_on_every_answer() {
    let app = TestApp::new(DECLARATION).await;
    let cases = [
        ("GET", "/api/v1/notes", 200, OF_PREFIX),
        ("HEAD", "/api/v1/notes", 200, OF_PREFIX),
        ("OPTIONS", "/api/v1/notes", 204, OF_PREFIX),
        ("POST", "/api/v1/notes", 400, OF_PREFIX),
        ("GET", "/api/v1/notes/1", 404, OF_PREFIX),
        ("GET", "/api/v1/notes/x", 404, OF_PREFIX),
        ("GET", "/api/v1/nothing", 404, OF_PREFIX),
        ("PUT", "/api/v1/notes", 405, OF_PREFIX),
        ("GET", "/api/v1/tags", 200, OF_TAGS),
        ("GET", "/api/v2/tags", 200, OF_TAGS),
        ("DELETE", "/api/v2/tags/1", 404, OF_TAGS),
        ("GET", "/api/v2/notes", 200, ""),
        ("GET", "/api/v2/nothing", 404, ""),
        ("GET", "/api/v10/notes", 404, ""),
        ("GET", "/tags", 200, ""),
        ("GET", "/", 200, ""),
    ];
    for (method, path, status, expected) in cases {
        let reply = app.request(method, path).send().await;
        assert_eq!(reply.status, status, "{method} {path}");
        let sunset = match expected {
            OF_PREFIX => "Sun, 31 Jan 2027 00:00:00 GMT",
            _ => "",
        };
        assert_eq!(reply.header("deprecation"), expected, "{method} {path}");
        assert_eq!(reply.header("sunset"), sunset, "{method} {path}");
        let links: Vec<_> = reply.headers.get_all("link").iter().collect();
        let explained = links
            .iter()
            .any(|link| *link == "</changes>; rel=\"sunset\"");
        assert_eq!(
            explained,
            expected == OF_PREFIX,
            "{method} {path}: {links:?}"
        );
    }
    // What a browser of another origin may read of it.
    let reply = app.request("GET", "/api/v1/notes").send().await;
    let exposed = reply.header("access-control-expose-headers");
    assert!(exposed.contains("Deprecation, Sunset"), "{exposed}");
}
