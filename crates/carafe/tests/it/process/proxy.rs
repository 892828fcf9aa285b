//! Proxies whose word is believed.

use super::{Folder, Process};

const DECLARATION: &str = r#"
[limits]
rate = "1/hour"
[resources.marks.fields]
title = { type = "string" }
"#;

async fn get(server: &Process, forwarded: &str) -> reqwest::Response {
    let request = reqwest::Client::new().get(format!("{}/api/marks", server.base));
    let request = request.header("x-forwarded-for", forwarded);
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_client_is_told_apart_by_declared_proxies_only() {
    let folder = Folder::new(DECLARATION);
    // What is forged is left of what the proxy has added.
    let requests = [
        ("192.0.2.1", [200, 200]),
        ("192.0.2.2", [429, 200]),
        ("192.0.2.3, 192.0.2.1", [429, 429]),
        ("192.0.2.1, 192.0.2.4", [429, 200]),
    ];
    for (number, proxies) in ["192.0.2.0/24", "127.0.0.0/8"].into_iter().enumerate() {
        let server =
            Process::start(folder.command(&["serve", "--port=0", "--trusted-proxies", proxies]));
        for (forwarded, expected) in requests {
            let reply = get(&server, forwarded).await;
            assert_eq!(reply.status(), expected[number], "{proxies}: {forwarded}");
        }
        server.stop();
    }
}

#[tokio::test]
async fn https_is_believed_from_declared_proxies_only() {
    let folder = Folder::notes();
    for (proxies, expected) in [("127.0.0.1", true), ("192.0.2.0/24", false)] {
        let mut command = folder.command(&["serve", "--port", "0"]);
        command.env("TRUSTED_PROXIES", proxies);
        let server = Process::start(command);
        let page = reqwest::Client::new()
            .get(format!("{}/notes/new", server.base))
            .header("x-forwarded-proto", "https")
            .send()
            .await
            .unwrap();
        let strict = page.headers().contains_key("strict-transport-security");
        assert_eq!(strict, expected, "{proxies}");
        let cookie = page.headers()["set-cookie"].to_str().unwrap();
        assert_eq!(cookie.contains("; Secure"), expected, "{cookie}");
        server.stop();
    }
}

#[test]
fn what_is_no_network_is_refused() {
    let folder = Folder::notes();
    let ran = folder.run(&["serve", "--port=0", "--trusted-proxies=10.0.0.1/8"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.stderr.contains("has bits behind the first 8"),
        "{ran:?}"
    );
    folder.write(".env", "TRUSTED_PROXIES=nginx");
    let refused = folder.run(&["serve", "--port=0"]).refused();
    assert!(
        refused.contains("TRUSTED_PROXIES in .env is \"nginx\""),
        "{refused}"
    );
}
