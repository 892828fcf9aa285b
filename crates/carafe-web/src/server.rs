//! The listener: accepts connections, holds each to its limits, and stops without losing work.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use crate::stall::{Meter, Metered, Patience, Verdict, Watch};
use crate::tls::Tls;

/// What a connection, and all of them together, may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the system's queue. 4096.
    pub connections_max: usize,
    /// From a connection's start to the end of its TLS handshake. 10 s.
    pub handshake_time_max: Duration,
    /// From the first byte of a request's head to its last, and from a connection's start to
    /// the end of its first head. 10 s.
    pub header_read_time_max: Duration,
    /// From the end of one request to the start of the next. 60 s.
    pub idle_time_max: Duration,
    /// How long a client may leave what we write unread; every 16 KiB it takes start the time
    /// anew. 30 s.
    pub write_stall_time_max: Duration,
    /// How long we read on, and drop what comes, after closing our side on a client that is
    /// still sending. 2 s.
    pub linger_time_max: Duration,
    /// How long the server goes on as before when it is told to stop, but for
    /// `Connection: close` on its answers, so that whoever spreads requests over servers can
    /// notice. None.
    pub stop_delay: Duration,
    /// What requests in flight get to finish in when the server stops. 30 s.
    pub drain_time_max: Duration,
    /// The buffer of an HTTP/1 connection, and so the size of a request's head; at least 8192.
    /// 128 KiB, twice hyper's longest target, so that a target that is too long is 414 and not
    /// 431. It grows only as it is filled.
    pub header_bytes_max: usize,
    /// The same for an HTTP/2 request, counted uncompressed. 32 KiB.
    pub http2_header_bytes_max: u32,
    /// Requests at once on an HTTP/2 connection. 128.
    pub http2_streams_max: u32,
    /// Requests that an HTTP/2 client may reset before we have looked at them, until the
    /// connection is closed ("rapid reset", CVE-2023-44487). 20.
    pub http2_resets_max: usize,
    /// Time between pings on an HTTP/2 connection. 30 s.
    pub http2_ping_interval: Duration,
    /// How long the answer to a ping may take. 20 s.
    pub http2_ping_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            handshake_time_max: Duration::from_secs(10),
            header_read_time_max: Duration::from_secs(10),
            idle_time_max: Duration::from_secs(60),
            write_stall_time_max: Duration::from_secs(30),
            linger_time_max: Duration::from_secs(2),
            stop_delay: Duration::ZERO,
            drain_time_max: Duration::from_secs(30),
            header_bytes_max: 128 * 1024,
            http2_header_bytes_max: 32 * 1024,
            http2_streams_max: 128,
            http2_resets_max: 20,
            http2_ping_interval: Duration::from_secs(30),
            http2_ping_time_max: Duration::from_secs(20),
        }
    }
}

impl Limits {
    fn patience(&self) -> Patience {
        Patience {
            head: self.header_read_time_max,
            idle: self.idle_time_max,
            write: self.write_stall_time_max,
            linger: self.linger_time_max,
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            // Ours, without a timer for each request: see `stall`.
            .header_read_timeout(None)
            // A client that closes its side after the request still gets its answer.
            .half_close(true)
            .max_buf_size(self.header_bytes_max.max(HTTP1_BUFFER_BYTES_MIN));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.http2_streams_max)
            .max_pending_accept_reset_streams(self.http2_resets_max)
            .max_header_list_size(self.http2_header_bytes_max)
            .keep_alive_interval(self.http2_ping_interval)
            .keep_alive_timeout(self.http2_ping_time_max);
        builder
    }
}

/// hyper refuses to work with less.
const HTTP1_BUFFER_BYTES_MIN: usize = 8192;

/// The first and the longest wait after a failed `accept`, which usually means that the process
/// has no file descriptor left (EMFILE). The wait doubles from one to the other.
const ACCEPT_WAIT_MIN: Duration = Duration::from_millis(10);
const ACCEPT_WAIT_MAX: Duration = Duration::from_secs(1);

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub remote: SocketAddr,
    pub local: SocketAddr,
    /// Whether the connection is encrypted by TLS.
    pub is_encrypted: bool,
}

/// Answers requests. Any `async` function or closure of this shape is one.
pub trait Handler<F>: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static {}

impl<H, F> Handler<F> for H where H: Fn(Request<Incoming>, Peer) -> F + Send + Sync + 'static {}

/// The body of an answer.
pub trait Reply:
    http_body::Body<Data = Bytes, Error: Into<ConnectionError>> + Send + 'static
{
}

impl<R> Reply for R where
    R: http_body::Body<Data = Bytes, Error: Into<ConnectionError>> + Send + 'static
{
}

/// Bound addresses, not yet serving.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    limits: Limits,
    tls: Option<Arc<Tls>>,
    connections: Connections,
}

/// How many connections a server has; a cheap clone.
#[derive(Clone, Debug)]
pub struct Connections {
    slots: Arc<Semaphore>,
    max: usize,
    open: Arc<AtomicUsize>,
}

/// The place of an open connection among all.
struct Slot {
    open: Arc<AtomicUsize>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let slots = Arc::new(Semaphore::new(max));
        Self {
            slots,
            max,
            open: Arc::default(),
        }
    }

    fn take(&self, permit: OwnedSemaphorePermit) -> Slot {
        self.open.fetch_add(1, Ordering::Relaxed);
        Slot {
            open: Arc::clone(&self.open),
            _permit: permit,
        }
    }

    /// Those that are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Server {
    /// Binds all of `addresses`; port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// That of the first address that cannot be bound.
    pub async fn bind(addresses: &[SocketAddr], limits: Limits) -> io::Result<Self> {
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in addresses {
            listeners.push(TcpListener::bind(address).await?);
        }
        Self::over(listeners, limits)
    }

    /// Takes sockets that listen already, inside of a runtime.
    ///
    /// # Errors
    ///
    /// Where a socket is none of TCP.
    pub fn from_sockets(sockets: Vec<std::net::TcpListener>, limits: Limits) -> io::Result<Self> {
        let listen = |socket: std::net::TcpListener| {
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket)
        };
        let listeners = sockets.into_iter().map(listen).collect::<io::Result<_>>()?;
        Self::over(listeners, limits)
    }

    fn over(listeners: Vec<TcpListener>, limits: Limits) -> io::Result<Self> {
        let addresses = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<io::Result<_>>()?;
        Ok(Self {
            listeners,
            addresses,
            connections: Connections::new(limits.connections_max),
            limits,
            tls: None,
        })
    }

    /// Encrypts every connection.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<Arc<Tls>>) -> Self {
        self.tls = tls;
        self
    }

    /// The addresses as bound, in the order given, with their real ports.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where its connections are counted, also while it serves.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Serves until `stop` is ready and [`Limits::stop_delay`] is over, then accepts no more,
    /// lets what is in flight finish within [`Limits::drain_time_max`], closes the rest, and
    /// returns when the last connection is gone.
    ///
    /// `handler` is called for every request that hyper could read;
    /// [`crate::wire::refuse_early`] is the handler's to ask.
    pub async fn serve<H, F, R>(self, handler: H, stop: impl Future<Output = ()>)
    where
        H: Handler<F>,
        F: Future<Output = Response<R>> + Send + 'static,
        R: Reply,
    {
        let limits = self.limits;
        let connections = self.connections;
        let slots = &connections.slots;
        let shared = Arc::new(Shared {
            handler,
            builder: limits.builder(),
            patience: limits.patience(),
            stage: AtomicU8::new(SERVING),
            stage_changed: Notify::new(),
            tls: self.tls,
            handshake_time_max: limits.handshake_time_max,
        });
        let mut stop = pin!(async {
            stop.await;
            shared.stage.store(LEAVING, Ordering::Release);
            tokio::time::sleep(limits.stop_delay).await;
        });
        loop {
            let accepted = async {
                let slot = Arc::clone(slots).acquire_owned().await.ok()?;
                Some((accept(&self.listeners).await, slot))
            };
            let connection = tokio::select! {
                biased;
                () = &mut stop => None,
                connection = accepted => connection,
            };
            let Some(((stream, remote), slot)) = connection else {
                break;
            };
            let slot = connections.take(slot);
            tokio::spawn(Arc::clone(&shared).connection(stream, remote, slot));
        }
        drop(self.listeners);
        shared.enter(DRAINING);
        // All slots are free when all connections are gone.
        let all_gone = || slots.acquire_many(connections.max as u32);
        if tokio::time::timeout(limits.drain_time_max, all_gone())
            .await
            .is_err()
        {
            warn!(
                connections = connections.open(),
                "Closed connections that did not finish in time"
            );
            shared.enter(CLOSING);
            drop(all_gone().await);
        }
    }
}

/// Waits for the next connection on any listener, whatever fails meanwhile.
async fn accept(listeners: &[TcpListener]) -> (TcpStream, SocketAddr) {
    let mut wait = ACCEPT_WAIT_MIN;
    loop {
        let accepted = std::future::poll_fn(|cx| {
            listeners
                .iter()
                .map(|listener| listener.poll_accept(cx))
                .find(Poll::is_ready)
                .unwrap_or(Poll::Pending)
        });
        match accepted.await {
            Ok(connection) => return connection,
            Err(err) if is_of_one_connection(&err) => {}
            Err(err) => {
                warn!(error = %err, "Could not accept a connection; trying again");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(ACCEPT_WAIT_MAX);
            }
        }
    }
}

/// Whether only the connection that was to be accepted has failed, not the listener.
fn is_of_one_connection(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// The server takes requests.
const SERVING: u8 = 0;
/// It still does, but asks clients to go elsewhere.
const LEAVING: u8 = 1;
/// What is in flight may finish.
const DRAINING: u8 = 2;
/// The time for that is over.
const CLOSING: u8 = 3;

/// What all connections of a server have in common.
struct Shared<H> {
    handler: H,
    builder: auto::Builder<TokioExecutor>,
    patience: Patience,
    stage: AtomicU8,
    stage_changed: Notify,
    tls: Option<Arc<Tls>>,
    handshake_time_max: Duration,
}

impl<H> Shared<H> {
    fn stage(&self) -> u8 {
        self.stage.load(Ordering::Acquire)
    }

    fn enter(&self, stage: u8) {
        self.stage.store(stage, Ordering::Release);
        self.stage_changed.notify_waiters();
    }

    async fn connection<F, R>(self: Arc<Self>, stream: TcpStream, remote: SocketAddr, slot: Slot)
    where
        H: Handler<F>,
        F: Future<Output = Response<R>> + Send + 'static,
        R: Reply,
    {
        let result = self.drive(stream, remote).await;
        if let Err(err) = result {
            debug!(error = err, "A connection ended early");
        }
        drop(slot);
    }

    /// Serves one connection, encrypted or not.
    async fn drive<F, R>(
        &self,
        stream: TcpStream,
        remote: SocketAddr,
    ) -> Result<(), ConnectionError>
    where
        H: Handler<F>,
        F: Future<Output = Response<R>> + Send + 'static,
        R: Reply,
    {
        // Both fail only on a connection that is already gone.
        let local = stream.local_addr()?;
        stream.set_nodelay(true)?;
        let peer = Peer {
            remote,
            local,
            is_encrypted: self.tls.is_some(),
        };
        match &self.tls {
            None => self.converse(stream, peer).await,
            // Boxed: the state of a connection without TLS stays as small as it was.
            Some(tls) => {
                let stream = Box::pin(self.shake_hands(tls, stream)).await?;
                Box::pin(self.converse(stream, peer)).await
            }
        }
    }

    async fn shake_hands(
        &self,
        tls: &Tls,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ConnectionError> {
        let handshake = tls.acceptor().accept(stream);
        tokio::select! {
            shaken = tokio::time::timeout(self.handshake_time_max, handshake) => match shaken {
                Ok(shaken) => Ok(shaken?),
                Err(_) => Err(CLOSED_BY_US.into()),
            },
            () = self.closing() => Err(CLOSED_BY_US.into()),
        }
    }

    async fn closing(&self) {
        loop {
            let changed = self.stage_changed.notified();
            if self.stage() == CLOSING {
                return;
            }
            changed.await;
        }
    }

    /// Serves one connection to its end, or until its [`Watch`] or the server's stage ends it.
    async fn converse<S, F, R>(&self, stream: S, peer: Peer) -> Result<(), ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        H: Handler<F>,
        F: Future<Output = Response<R>> + Send + 'static,
        R: Reply,
    {
        let meter = Arc::new(Meter::default());
        let io = TokioIo::new(Metered::new(stream, Arc::clone(&meter)));
        let service = service_fn(|request: Request<Incoming>| {
            let in_flight = meter.begin(&request);
            let is_http1 = request.version() < Version::HTTP_2;
            let is_last = self.stage() != SERVING;
            let response = (self.handler)(request, peer);
            async move {
                let mut response = response.await;
                drop(in_flight);
                if is_http1 {
                    close_after_unread_body(&mut response);
                    if is_last {
                        let close = HeaderValue::from_static("close");
                        response.headers_mut().insert(CONNECTION, close);
                    }
                }
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(self.builder.serve_connection(io, service));

        let mut watch = Watch::new(self.patience, Instant::now());
        let mut alarm = pin!(tokio::time::sleep_until(watch.first_deadline()));
        let mut stage_changed = pin!(self.stage_changed.notified());
        let mut registered = false;
        let mut leaving = false;

        std::future::poll_fn(|cx: &mut Context<'_>| {
            // Asking the notification takes a lock that all connections share, so while the
            // server serves it is asked once, to be woken by it.
            if !registered || self.stage() > LEAVING {
                registered = true;
                while stage_changed.as_mut().poll(cx).is_ready() {
                    stage_changed.set(self.stage_changed.notified());
                }
                match self.stage() {
                    SERVING | LEAVING => {}
                    DRAINING if leaving => {}
                    DRAINING => {
                        leaving = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    _ => return Poll::Ready(Err(CLOSED_BY_US.into())),
                }
            }
            loop {
                if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                    return Poll::Ready(result);
                }
                match await_client(&mut watch, &meter, alarm.as_mut(), cx) {
                    Verdict::Wait(_) => return Poll::Pending,
                    Verdict::Leave => connection.as_mut().graceful_shutdown(),
                    Verdict::Drop => return Poll::Ready(Err(CLOSED_BY_US.into())),
                }
            }
        })
        .await
    }
}

type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

const CLOSED_BY_US: &str = "the time limit was reached";

/// Asks the watch until its verdict is final for this poll, with the alarm set for the next.
///
/// The alarm is moved only to an earlier time: a deadline that moved back, as it does with
/// every request, is noticed when the old one comes.
fn await_client(
    watch: &mut Watch,
    meter: &Meter,
    mut alarm: Pin<&mut tokio::time::Sleep>,
    cx: &mut Context<'_>,
) -> Verdict {
    loop {
        let expired = alarm.as_mut().poll(cx).is_ready();
        match watch.check(meter, expired) {
            Verdict::Wait(deadline) if expired || deadline < alarm.deadline() => {
                alarm.as_mut().reset(deadline);
            }
            verdict => return verdict,
        }
    }
}

/// After these answers the body was not read to its end; the client is told that no further
/// request can follow on this connection (RFC 9110 §15.5.9 and §15.5.14).
fn close_after_unread_body<R>(response: &mut Response<R>) {
    if matches!(
        response.status(),
        StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE
    ) {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
}
