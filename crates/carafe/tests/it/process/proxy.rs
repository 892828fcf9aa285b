//! Proxies whose word is believed.

use super::{Folder, Process};

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
