//! HTTP/2 with prior knowledge (RFC 9113 §3.3), frame by frame.

use std::time::Duration;

use carafe_web::server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, TestServer, in_time};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM_AND_HEADERS: u8 = 0x5;

/// `:method GET`, `:scheme http`, both from the static table, `:path` and `:authority` as
/// literals (RFC 7541).
fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86];
    for (index, text) in [(0x04, path), (0x01, "a.example")] {
        block.extend([index, u8::try_from(text.len()).unwrap()]);
        block.extend(text.as_bytes());
    }
    block
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

async fn open(server: &TestServer, settings: &[u8]) -> Client {
    let mut client = server.connect().await;
    client.0.write_all(PREFACE).await.unwrap();
    let settings = frame(SETTINGS, 0, 0, settings);
    client.0.write_all(&settings).await.unwrap();
    client
}

/// The next frame: kind, stream, payload. `None` when the connection is closed.
async fn next(client: &mut Client) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    in_time(client.0.read_exact(&mut head)).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    in_time(client.0.read_exact(&mut payload)).await.ok()?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some((head[3], stream, payload))
}

async fn next_of(client: &mut Client, kind: u8) -> (u32, Vec<u8>) {
    loop {
        match next(client).await {
            Some((found, stream, payload)) if found == kind => return (stream, payload),
            Some(_) => {}
            None => panic!("closed before a frame of kind {kind}"),
        }
    }
}

#[tokio::test]
async fn requests_are_answered_on_the_same_port() {
    let server = TestServer::spawn(Limits::default()).await;
    let mut client = open(&server, &[]).await;
    for stream in [1, 3] {
        let request = frame(HEADERS, END_STREAM_AND_HEADERS, stream, &get("/"));
        client.0.write_all(&request).await.unwrap();
        let (answered, payload) = next_of(&mut client, DATA).await;
        assert_eq!((answered, payload.as_slice()), (stream, &b"here"[..]));
    }
}

#[tokio::test]
async fn stopping_lets_streams_finish() {
    let mut server = TestServer::spawn(Limits::default()).await;
    let mut client = open(&server, &[]).await;
    let request = frame(HEADERS, END_STREAM_AND_HEADERS, 1, &get("/held"));
    client.0.write_all(&request).await.unwrap();
    server.gate.entered.notified().await;
    server.stop();
    next_of(&mut client, GOAWAY).await;
    server.gate.open.notify_one();
    let mut answered = false;
    while let Some((kind, _, payload)) = next(&mut client).await {
        answered |= kind == DATA && payload == b"held";
        // A ping of the graceful shutdown wants its answer.
        if kind == 6 {
            let pong = frame(6, 1, 0, &payload);
            client.0.write_all(&pong).await.unwrap();
        }
    }
    assert!(answered);
    drop(client);
    server.stopped().await;
}

#[tokio::test]
async fn idle_connections_are_told_and_closed() {
    let server = TestServer::spawn(Limits {
        idle_time_max: Duration::from_millis(200),
        ..Limits::default()
    })
    .await;
    let mut client = open(&server, &[]).await;
    let request = frame(HEADERS, END_STREAM_AND_HEADERS, 1, &get("/"));
    client.0.write_all(&request).await.unwrap();
    next_of(&mut client, DATA).await;
    next_of(&mut client, GOAWAY).await;
}

#[tokio::test]
async fn windows_that_never_open_do_not_hold_a_connection() {
    let short = Duration::from_millis(200);
    let server = TestServer::spawn(Limits {
        idle_time_max: short,
        write_stall_time_max: short,
        connections_max: 1,
        ..Limits::default()
    })
    .await;
    // SETTINGS_INITIAL_WINDOW_SIZE = 0
    let mut client = open(&server, &[0, 4, 0, 0, 0, 0]).await;
    let request = frame(HEADERS, END_STREAM_AND_HEADERS, 1, &get("/"));
    client.0.write_all(&request).await.unwrap();
    let mut second = server.connect().await;
    second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(second.read_until("here").await.contains(" 200 "));
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let server = TestServer::spawn(Limits::default()).await;
    let mut client = open(&server, &[]).await;
    let mut flood = Vec::new();
    for number in 0..2000 {
        let stream = number * 2 + 1;
        flood.extend(frame(
            HEADERS,
            END_STREAM_AND_HEADERS,
            stream,
            &get("/held"),
        ));
        flood.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    // The server may close before it has read all.
    let _ = client.0.write_all(&flood).await;
    while next(&mut client).await.is_some() {}
}

#[tokio::test]
async fn too_many_fields_are_refused() {
    let server = TestServer::spawn(Limits::default()).await;
    let mut client = open(&server, &[]).await;
    let mut block = get("/");
    for _ in 0..200 {
        block.extend([0, 1, b'x', 1, b'y']);
    }
    let request = frame(HEADERS, END_STREAM_AND_HEADERS, 1, &block);
    client.0.write_all(&request).await.unwrap();
    let (_, payload) = next_of(&mut client, DATA).await;
    let text = String::from_utf8(payload).unwrap();
    assert_eq!(text, "The request has more than 100 header fields");
}
