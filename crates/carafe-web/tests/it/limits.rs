//! Clients that are slow, silent or too many (OWASP API4).

use std::time::Duration;

use carafe_web::server::Limits;

use crate::client::{TestServer, in_time, status};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SHORT: Duration = Duration::from_millis(200);

/// Limits with only one connection at a time, so that a second is served exactly when the
/// first is gone.
fn one_at_a_time() -> Limits {
    Limits {
        connections_max: 1,
        ..Limits::default()
    }
}

async fn assert_next_is_served(server: &TestServer) {
    let mut next = server.connect().await;
    next.send(GET).await;
    assert!(next.read_until("here").await.contains(" 200 "));
}

#[tokio::test]
async fn slow_heads_are_dropped() {
    let server = TestServer::spawn(Limits {
        header_read_time_max: SHORT,
        ..one_at_a_time()
    })
    .await;
    for start in [
        "",
        "G",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "PRI * HTTP/2.0\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(start).await;
        assert_next_is_served(&server).await;
    }
}

#[tokio::test]
async fn bytes_of_a_head_do_not_restart_its_clock() {
    let server = TestServer::spawn(Limits {
        header_read_time_max: SHORT,
        ..Limits::default()
    })
    .await;
    let mut client = server.connect().await;
    client.send(GET).await;
    client.read_until("here").await;
    let dripped = async {
        let mut ticks = tokio::time::interval(SHORT / 10);
        loop {
            ticks.tick().await;
            if tokio::io::AsyncWriteExt::write_all(&mut client.0, b"x")
                .await
                .is_err()
            {
                break;
            }
        }
    };
    in_time(dripped).await;
}

#[tokio::test]
async fn slow_bodies_are_answered_408_and_closed() {
    let server = TestServer::spawn(Limits::default()).await;
    for field in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
        let mut client = server.connect().await;
        client
            .send(&format!(
                "POST /length HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n3\r\nabc"
            ))
            .await;
        let text = client.read_to_end().await;
        assert_eq!(status(&text), 408, "{text:?}");
        assert!(text.contains("connection: close"), "{text:?}");
    }
}

#[tokio::test]
async fn slow_readers_are_dropped() {
    let server = TestServer::spawn(Limits {
        write_stall_time_max: SHORT,
        ..one_at_a_time()
    })
    .await;
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.read_until("\r\n\r\n").await;
    assert_next_is_served(&server).await;
}

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_are_not() {
    let server = TestServer::spawn(Limits {
        idle_time_max: SHORT,
        header_read_time_max: SHORT,
        write_stall_time_max: SHORT,
        ..Limits::default()
    })
    .await;
    let mut busy = server.connect().await;
    busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.gate.entered.notified().await;

    let mut idle = server.connect().await;
    idle.send(GET).await;
    assert!(idle.read_to_end().await.ends_with("here"));

    server.gate.open.notify_one();
    assert!(busy.read_to_end().await.ends_with("held"));
}

#[tokio::test]
async fn connections_above_the_limit_wait() {
    let server = TestServer::spawn(one_at_a_time()).await;
    let mut first = server.connect().await;
    first.send(GET).await;
    first.read_until("here").await;
    let mut second = server.connect().await;
    second.send(GET).await;
    drop(first);
    assert!(second.read_until("here").await.contains(" 200 "));
}

#[tokio::test]
async fn a_client_that_goes_on_sending_is_cut_off() {
    let server = TestServer::spawn(Limits {
        linger_time_max: SHORT,
        ..one_at_a_time()
    })
    .await;
    let mut client = server.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\nx")
        .await;
    assert_eq!(status(&client.read_to_end().await), 413);
    assert_next_is_served(&server).await;
}
