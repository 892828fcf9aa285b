//! A server with a trivial handler, and a client that says exactly what it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carafe_web::server::{Limits, Peer, Server};
use carafe_web::tls::Tls;
use carafe_web::{body, wire};
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Longer than any wait of these tests: what takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) gate: Arc<Gate>,
    stop: Option<oneshot::Sender<()>>,
    done: JoinHandle<()>,
}

/// Holds requests for `/held` until the test lets them go.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) entered: Notify,
    pub(crate) open: Notify,
}

impl TestServer {
    pub(crate) async fn spawn(limits: Limits) -> Self {
        Self::spawn_with(limits, None).await
    }

    pub(crate) async fn spawn_with(limits: Limits, tls: Option<Arc<Tls>>) -> Self {
        let server = Server::bind(&["127.0.0.1:0".parse().unwrap()], limits)
            .await
            .unwrap()
            .with_tls(tls);
        let address = server.addresses()[0];
        let gate = Arc::new(Gate::default());
        let (stop, stopped) = oneshot::channel();
        let inner = Arc::clone(&gate);
        let handler = move |request, peer| answer(request, peer, Arc::clone(&inner));
        let done = tokio::spawn(server.serve(handler, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            gate,
            stop: Some(stop),
            done,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends `request` on a connection of its own and returns all that comes back.
    pub(crate) async fn exchange(&self, request: &str) -> String {
        let mut client = self.connect().await;
        client.send(request).await;
        client.read_to_end().await
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until `serve` has returned.
    pub(crate) async fn stopped(self) {
        in_time(self.done).await.unwrap();
    }
}

pub(crate) async fn in_time<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("done within the test's patience")
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Closes our side only.
    pub(crate) async fn finish(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// All bytes until the server closes. A reset fails the test.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        in_time(self.0.read_to_end(&mut bytes)).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Bytes until `end` has come.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end.as_bytes()) {
            let byte = in_time(self.0.read_u8()).await;
            bytes.push(
                byte.unwrap_or_else(|err| {
                    panic!("{err} after {:?}", String::from_utf8_lossy(&bytes))
                }),
            );
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// The status of a response, 0 where there is none.
pub(crate) fn status(response: &str) -> u16 {
    let line = response.lines().next().unwrap_or_default();
    line.strip_prefix("HTTP/1.1 ")
        .or_else(|| line.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or_default()
}

pub(crate) fn responses(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

async fn answer(request: Request<Incoming>, peer: Peer, gate: Arc<Gate>) -> Response<Full<Bytes>> {
    assert!(peer.remote.ip().is_loopback() && peer.local.port() != peer.remote.port());
    if let Some(refusal) = wire::refuse_early(&request) {
        let mut response = text(refusal.status, refusal.detail.to_owned());
        if refusal.close {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        return response;
    }
    if wire::is_server_wide(&request) {
        return text(StatusCode::OK, String::new());
    }
    match request.uri().path() {
        "/length" => length(request).await,
        "/ignored" => text(StatusCode::UNSUPPORTED_MEDIA_TYPE, String::new()),
        "/large" => text(StatusCode::OK, "x".repeat(64 << 20)),
        "/held" => {
            gate.entered.notify_one();
            gate.open.notified().await;
            text(StatusCode::OK, "held".to_owned())
        }
        _ => text(StatusCode::OK, "here".to_owned()),
    }
}

async fn length(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let time_max = Duration::from_millis(300);
    match body::read(request.into_body(), BODY_BYTES_MAX, time_max).await {
        Ok(bytes) => text(StatusCode::OK, format!("{} bytes", bytes.len())),
        Err(err @ body::Error::TooLarge { .. }) => {
            text(StatusCode::PAYLOAD_TOO_LARGE, err.to_string())
        }
        Err(err @ body::Error::TimedOut) => text(StatusCode::REQUEST_TIMEOUT, err.to_string()),
        Err(err @ body::Error::Broken) => text(StatusCode::BAD_REQUEST, err.to_string()),
    }
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response
}
