//! Stopping: nothing new, nothing lost, nothing for ever.

use std::time::Duration;

use carafe_web::server::Limits;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::client::{TestServer, in_time};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HELD: &str = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn requests_in_flight_finish() {
    let mut server = TestServer::spawn(Limits::default()).await;
    let mut busy = server.connect().await;
    busy.send(HELD).await;
    server.gate.entered.notified().await;
    let mut idle = server.connect().await;
    idle.send(GET).await;
    idle.read_until("here").await;
    let mut silent = server.connect().await;

    server.stop();
    assert_eq!(idle.read_to_end().await, "");
    // Accepted and closed, or still queued and reset: in either case without an answer.
    let _ = in_time(silent.0.read(&mut [0; 1])).await;
    server.gate.open.notify_one();
    assert!(busy.read_to_end().await.ends_with("held"));
    let address = server.address;
    server.stopped().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_closed() {
    let mut server = TestServer::spawn(Limits {
        drain_time_max: Duration::from_millis(100),
        ..Limits::default()
    })
    .await;
    let mut busy = server.connect().await;
    busy.send(HELD).await;
    server.gate.entered.notified().await;
    server.stop();
    assert_eq!(busy.read_to_end().await, "");
    server.stopped().await;
}

#[tokio::test]
async fn a_server_at_its_limit_stops_too() {
    let mut server = TestServer::spawn(Limits {
        connections_max: 1,
        ..Limits::default()
    })
    .await;
    let mut first = server.connect().await;
    first.send(GET).await;
    first.read_until("here").await;
    let _waiting = server.connect().await;
    server.stop();
    server.stopped().await;
}
