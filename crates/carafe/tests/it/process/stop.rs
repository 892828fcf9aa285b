//! SIGTERM and SIGINT: what is in flight finishes, then the server ends.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{Folder, PATIENCE, eventually};

#[tokio::test]
async fn requests_in_flight_finish_after_sigterm() {
    stops_after("TERM").await;
}

#[tokio::test]
async fn requests_in_flight_finish_after_sigint() {
    stops_after("INT").await;
}

async fn stops_after(signal: &str) {
    let folder = Folder::notes();
    let server = folder.serve();
    let place = server.base.trim_start_matches("http://").to_owned();
    let body = r#"{"title":"In flight","content":"c"}"#;
    let head = format!(
        "POST /api/notes HTTP/1.1\r\nHost: {place}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(&place).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body: the request is in flight.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");

    server.signal(signal);
    eventually("the port is closed", PATIENCE, async || {
        TcpStream::connect(&place).is_err().then_some(())
    })
    .await;
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");

    let (status, printed) = server.ended();
    assert_eq!(status.code(), Some(0));
    assert!(printed.ends_with("\nStopped.\n"), "{printed}");
    assert!(TcpStream::connect(&place).is_err());
    // The log is carried over: the file is whole by itself.
    assert!(!folder.path("data.db-wal").exists());

    let server = folder.serve();
    let note = server.client().get("/api/notes/1").await;
    assert_eq!(note.json()["title"], "In flight");
}
