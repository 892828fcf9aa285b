//! HTTP/1 message borders (RFC 9112), ours and hyper's.

use carafe_web::server::Limits;

use crate::client::{BODY_BYTES_MAX, TestServer, responses, status};

const HOST: &str = "Host: a.example\r\n";

async fn assert_statuses(cases: &[(&str, &[u16])]) {
    let server = TestServer::spawn(Limits::default()).await;
    for (request, expected) in cases {
        let mut client = server.connect().await;
        client.send(request).await;
        client.finish().await;
        let response = client.read_to_end().await;
        assert!(
            expected.contains(&status(&response)),
            "{request:?}: {response:?}"
        );
    }
}

#[tokio::test]
async fn a_request_has_exactly_one_valid_host() {
    assert_statuses(&[
        ("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", &[200]),
        ("GET / HTTP/1.1\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", &[400]),
        ("GET / HTTP/1.0\r\n\r\n", &[200]),
        ("GET http://a.example/ HTTP/1.1\r\nHost: b\r\n\r\n", &[200]),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &[200]),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", &[400]),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", &[501]),
    ])
    .await;
}

#[tokio::test]
async fn a_body_has_one_length() {
    let post =
        |fields: &str, body: &str| format!("POST /length HTTP/1.1\r\n{HOST}{fields}\r\n{body}");
    let chunk = "3\r\nabc\r\n0\r\n\r\n";
    let te = "Transfer-Encoding: chunked\r\n";
    let bad: &[u16] = &[400];
    let refused: &[u16] = &[400, 501];
    let cases = [
        (post("Content-Length: 3\r\n", "abc"), &[200][..]),
        (
            post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
            &[200, 400],
        ),
        (
            post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"),
            bad,
        ),
        (post("Content-Length: 3, 4\r\n", "abc"), bad),
        (post("Content-Length: -3\r\n", "abc"), bad),
        (post("Content-Length: +3\r\n", "abc"), bad),
        (post("Content-Length: 0x3\r\n", "abc"), bad),
        (post("Content-Length: 3 3\r\n", "abc"), bad),
        (post("Content-Length:\r\n", "abc"), bad),
        (post("Content-Length: 99999999999999999999\r\n", "abc"), bad),
        (post("Content-Length: 5\r\n", "abc"), bad),
        (post(te, chunk), &[200]),
        (post("Transfer-Encoding: gzip, chunked\r\n", chunk), &[501]),
        (post("Transfer-Encoding: chunked, chunked\r\n", chunk), bad),
        (post(&te.repeat(2), chunk), bad),
        (post("Transfer-Encoding: chunked, gzip\r\n", chunk), refused),
        (post("Transfer-Encoding: identity\r\n", "abc"), refused),
        (post("Transfer-Encoding: xchunked\r\n", chunk), refused),
    ];
    let cases: Vec<_> = cases
        .iter()
        .map(|(request, statuses)| (request.as_str(), *statuses))
        .collect();
    assert_statuses(&cases).await;
}

#[tokio::test]
async fn both_lengths_are_refused_or_close_the_connection() {
    let server = TestServer::spawn(Limits::default()).await;
    let fields = [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: x\r\n",
    ];
    for fields in fields {
        let text = server
            .exchange(&format!(
                "POST /length HTTP/1.1\r\n{HOST}{fields}\r\n3\r\nabc\r\n0\r\n\r\n\
                 GET /smuggled HTTP/1.1\r\n{HOST}\r\n"
            ))
            .await;
        assert_eq!(responses(&text), 1, "{fields:?}: {text:?}");
        assert!(!text.contains("here"), "{fields:?}: {text:?}");
    }
}

#[tokio::test]
async fn malformed_chunks_are_refused() {
    let chunks = [
        "x\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "4\r\nabc\r\n0\r\n\r\n",
        "3 3\r\nabc\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
    ];
    let requests = chunks.map(|chunks| {
        format!("POST /length HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{chunks}")
    });
    let cases: Vec<_> = requests
        .iter()
        .map(|request| (request.as_str(), &[400][..]))
        .collect();
    assert_statuses(&cases).await;
}

#[tokio::test]
async fn malformed_fields_are_refused() {
    assert_statuses(&[
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", &[400]),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", &[400]),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", &[400, 505]),
        ("GET /\r\n\r\n", &[400]),
        ("nonsense\r\n\r\n", &[400]),
    ])
    .await;
}

#[tokio::test]
async fn long_targets_and_many_fields_are_refused() {
    let get = |path: usize, fields: usize| {
        format!(
            "GET /{} HTTP/1.1\r\n{HOST}{}\r\n",
            "a".repeat(path - 1),
            "X: y\r\n".repeat(fields)
        )
    };
    assert_statuses(&[
        (&get(8000, 0), &[200]),
        (&get(8001, 0), &[414]),
        (&get(20_000, 0), &[414]),
        (&get(100_000, 0), &[414]),
        (&get(1, 99), &[200]),
        (&get(1, 100), &[431]),
        (&get(1, 5000), &[431]),
        (&get(1, 100_000), &[431]),
    ])
    .await;
}

#[tokio::test]
async fn requests_may_be_pipelined() {
    let server = TestServer::spawn(Limits::default()).await;
    let get = format!("GET / HTTP/1.1\r\n{HOST}\r\n");
    let post = format!("POST /length HTTP/1.1\r\n{HOST}Content-Length: 3\r\n\r\nabc");
    let last = format!("GET / HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n");
    let text = server
        .exchange(&format!("{}{last}", format!("{get}{post}").repeat(50)))
        .await;
    assert_eq!(responses(&text), 101);
    assert_eq!(text.matches("3 bytes").count(), 50);
}

#[tokio::test]
async fn a_client_may_close_its_side_before_the_answer() {
    let server = TestServer::spawn(Limits::default()).await;
    let mut client = server.connect().await;
    client
        .send(&format!("GET /held HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    client.finish().await;
    server.gate.entered.notified().await;
    server.gate.open.notify_one();
    let text = client.read_to_end().await;
    assert!(text.ends_with("held"), "{text:?}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_and_not_reset() {
    let server = TestServer::spawn(Limits::default()).await;
    // More than the sockets' buffers hold, so that the client is still sending.
    let body = "x".repeat(32 * BODY_BYTES_MAX);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let length = format!("Content-Length: {}", body.len());
    for (path, field, body, expected) in [
        ("/length", length.as_str(), &body, 413),
        ("/length", "Transfer-Encoding: chunked", &chunked, 413),
        ("/ignored", &length, &body, 415),
        ("/ignored", "Transfer-Encoding: chunked", &chunked, 415),
    ] {
        let text = server
            .exchange(&format!(
                "POST {path} HTTP/1.1\r\n{HOST}{field}\r\n\r\n{body}"
            ))
            .await;
        assert_eq!(status(&text), expected, "{path} {field}: {text:?}");
        assert_eq!(
            text.contains("connection: close"),
            expected == 413,
            "{path} {field}: {text:?}"
        );
    }
}

#[tokio::test]
async fn the_body_limit_is_exact() {
    let server = TestServer::spawn(Limits::default()).await;
    for (length, expected) in [(BODY_BYTES_MAX, 200), (BODY_BYTES_MAX + 1, 413)] {
        let body = "x".repeat(length);
        for (field, body) in [
            (format!("Content-Length: {length}"), body.clone()),
            (
                "Transfer-Encoding: chunked".to_owned(),
                format!("{length:x}\r\n{body}\r\n0\r\n\r\n"),
            ),
        ] {
            let text = server
                .exchange(&format!(
                    "POST /length HTTP/1.1\r\n{HOST}Connection: close\r\n{field}\r\n\r\n{body}"
                ))
                .await;
            assert_eq!(status(&text), expected, "{length} by {field}: {text:?}");
        }
    }
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_it_is_wanted() {
    let server = TestServer::spawn(Limits::default()).await;
    let head = |path, length| {
        format!(
            "POST {path} HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut client = server.connect().await;
    client.send(&head("/length", 3)).await;
    assert_eq!(status(&client.read_until("\r\n\r\n").await), 100);
    client.send("abc").await;
    assert!(client.read_until("3 bytes").await.contains(" 200 "));

    for (path, length, expected) in [("/length", 2 << 20, 413), ("/ignored", 3, 415)] {
        let text = server.exchange(&head(path, length)).await;
        assert_eq!(status(&text), expected, "{text:?}");
        assert_eq!(responses(&text), 1, "{text:?}");
    }
}

#[tokio::test]
async fn a_small_body_that_is_ignored_keeps_the_connection() {
    let server = TestServer::spawn(Limits::default()).await;
    let mut client = server.connect().await;
    let post = format!("POST /ignored HTTP/1.1\r\n{HOST}Content-Length: 3\r\n\r\nabc");
    for _ in 0..2 {
        client.send(&post).await;
        assert_eq!(status(&client.read_until("\r\n\r\n").await), 415);
    }
}
