//! Time limits of a connection: its state is noted here, its waiting is measured against limits.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Version};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// A stalled writer has made progress when it got rid of this much; fewer bytes do not restart
/// the clock, or a client could hold a connection by reading one byte at a time.
const PROGRESS_BYTES: u64 = 16 * 1024;

/// How long a connection may wait for its client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
    pub(crate) linger: Duration,
}

/// What happens on a connection. Written from its stream and its service, read by its [`Watch`].
///
/// Nothing here asks for the time: the watch does, and only when it finds a new state, so that a
/// request that is answered at once costs one look at the clock. All of it is touched by the
/// connection's own task, but for the end of HTTP/2 requests; relaxed order is enough because
/// the connection is polled after each.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Handlers at work.
    in_flight: AtomicU32,
    /// Requests that have come so far.
    requests: AtomicU64,
    is_http2: AtomicBool,
    /// Bytes have come that are not yet a request.
    head_begun: AtomicBool,
    /// The last request had a body, which may still be on its way.
    body_declared: AtomicBool,
    /// The peer does not take what we write.
    write_blocked: AtomicBool,
    bytes_written: AtomicU64,
    /// We have closed our side and wait for the peer's.
    lingering: AtomicBool,
}

impl Meter {
    /// Notes that a request has come; its end is when the result is dropped.
    pub(crate) fn begin<B: Body>(self: &Arc<Self>, request: &Request<B>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.head_begun.store(false, Ordering::Relaxed);
        self.body_declared
            .store(!request.body().is_end_stream(), Ordering::Relaxed);
        if request.version() == Version::HTTP_2 {
            self.is_http2.store(true, Ordering::Relaxed);
        }
        InFlight(Arc::clone(self))
    }

    fn received(&self) {
        // On HTTP/2 what comes may be a ping or a window update, so the wait for a head cannot
        // be told from the outside; the idle limit covers it.
        if self.in_flight.load(Ordering::Relaxed) == 0 && !self.is_http2.load(Ordering::Relaxed) {
            self.head_begun.store(true, Ordering::Relaxed);
        }
    }

    fn wrote(&self, result: &Poll<io::Result<usize>>) {
        match result {
            Poll::Pending => self.write_blocked.store(true, Ordering::Relaxed),
            Poll::Ready(Ok(count)) => {
                self.bytes_written
                    .fetch_add(*count as u64, Ordering::Relaxed);
            }
            Poll::Ready(Err(_)) => {}
        }
    }

    /// Whether the peer may be in the middle of sending: closing the socket would then reset
    /// the connection, and it might lose our answer.
    fn may_be_sent_to(&self) -> bool {
        !self.is_http2.load(Ordering::Relaxed)
            && (self.body_declared.load(Ordering::Relaxed)
                || self.head_begun.load(Ordering::Relaxed))
    }

    fn phase(&self) -> Phase {
        let requests = self.requests.load(Ordering::Relaxed);
        let progress = self.bytes_written.load(Ordering::Relaxed) / PROGRESS_BYTES;
        if self.lingering.load(Ordering::Relaxed) {
            Phase::Lingering
        } else if self.write_blocked.load(Ordering::Relaxed) {
            Phase::Blocked { progress }
        } else if self.in_flight.load(Ordering::Relaxed) > 0 {
            Phase::Working
        } else if requests == 0 || self.head_begun.load(Ordering::Relaxed) {
            Phase::Head { requests }
        } else {
            Phase::Idle { requests, progress }
        }
    }
}

/// A request whose handler is at work.
pub(crate) struct InFlight(Arc<Meter>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a connection waits for. A change of a number restarts the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// For the first request, or for the rest of a head that has begun.
    Head { requests: u64 },
    /// For the next request. On HTTP/2 also for windows to open for what is still to be sent.
    Idle { requests: u64, progress: u64 },
    /// For our own handler, which has its own limits.
    Working,
    /// For the peer to read.
    Blocked { progress: u64 },
    /// For the peer to close its side.
    Lingering,
}

/// What a connection's driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Look again at this time at the latest.
    Wait(Instant),
    /// Nothing was asked for too long: say goodbye.
    Leave,
    /// The peer has made us wait too long: close.
    Drop,
}

/// The clock of one connection.
#[derive(Debug)]
pub(crate) struct Watch {
    phase: Phase,
    since: Instant,
    left: Option<Instant>,
    patience: Patience,
}

impl Watch {
    pub(crate) fn new(patience: Patience, now: Instant) -> Self {
        Self {
            phase: Phase::Head { requests: 0 },
            since: now,
            left: None,
            patience,
        }
    }

    /// When to look first.
    pub(crate) fn first_deadline(&self) -> Instant {
        self.since + self.patience.head
    }

    /// Compares the state of the connection with what it was and decides. `expired` says that
    /// the time of the last [`Verdict::Wait`] has come.
    pub(crate) fn check(&mut self, meter: &Meter, expired: bool) -> Verdict {
        let phase = meter.phase();
        let is_new = phase != self.phase;
        if is_new {
            self.phase = phase;
            self.since = Instant::now();
        }
        let deadline = self.deadline();
        if is_new || !expired {
            return Verdict::Wait(deadline);
        }
        let now = Instant::now();
        if now < deadline {
            return Verdict::Wait(deadline);
        }
        match self.phase {
            Phase::Working => Verdict::Wait(now + self.patience.idle),
            Phase::Idle { .. } if self.left.is_none() => {
                self.left = Some(now);
                Verdict::Leave
            }
            Phase::Idle { .. } | Phase::Head { .. } | Phase::Blocked { .. } | Phase::Lingering => {
                Verdict::Drop
            }
        }
    }

    fn deadline(&self) -> Instant {
        let patience = match self.phase {
            Phase::Head { .. } => self.patience.head,
            Phase::Working | Phase::Idle { .. } => self.patience.idle,
            Phase::Blocked { .. } => self.patience.write,
            Phase::Lingering => self.patience.linger,
        };
        match (self.phase, self.left) {
            // What was still to be sent when we left gets as long as a blocked writer.
            (Phase::Idle { .. }, Some(left)) => left + self.patience.write,
            _ => self.since + patience,
        }
    }
}

/// A stream that keeps its [`Meter`] and closes without losing the last answer.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
    closed: bool,
}

impl<S> Metered<S> {
    pub(crate) fn new(stream: S, meter: Arc<Meter>) -> Self {
        Self {
            stream,
            meter,
            closed: false,
        }
    }
}

/// So many bytes are joined before they are written: the system takes one piece more quickly than
/// several. With more, copying costs as much.
const JOINED_BYTES_MAX: usize = 1024;

/// Slices that have no more bytes together, as one.
fn join<'a>(slices: &[IoSlice<'_>], joined: &'a mut [u8; JOINED_BYTES_MAX]) -> &'a [u8] {
    let mut end = 0;
    for slice in slices {
        joined[end..end + slice.len()].copy_from_slice(slice);
        end += slice.len();
    }
    &joined[..end]
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.meter.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.meter.wrote(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        let result = match slices {
            [slice] => stream.poll_write(cx, slice),
            _ if length <= JOINED_BYTES_MAX => {
                stream.poll_write(cx, join(slices, &mut [0; JOINED_BYTES_MAX]))
            }
            _ => stream.poll_write_vectored(cx, slices),
        };
        self.meter.wrote(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written all it had, so the peer is no longer behind.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.meter.write_blocked.store(false, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    /// Closes our side; where the peer may be sending, also reads and drops what comes until it
    /// closes its own ("lingering close", RFC 9112 §9.6). The watch limits the time.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.closed {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.closed = true;
        }
        if !this.meter.may_be_sent_to() {
            return Poll::Ready(Ok(()));
        }
        this.meter.lingering.store(true, Ordering::Relaxed);
        let mut scratch = [0; 8 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // The end, or a reset: either way nobody waits for us any more.
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(1),
        idle: Duration::from_secs(2),
        write: Duration::from_secs(3),
        linger: Duration::from_secs(4),
    };

    fn request(text: &'static str) -> Request<http_body_util::Full<&'static [u8]>> {
        Request::new(http_body_util::Full::new(text.as_bytes()))
    }

    #[tokio::test]
    async fn a_connection_goes_through_its_phases() {
        let meter = Arc::new(Meter::default());
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = Metered::new(near, Arc::clone(&meter));
        assert_eq!(meter.phase(), Phase::Head { requests: 0 });

        far.write_all(b"GET").await.unwrap();
        stream.read_exact(&mut [0; 3]).await.unwrap();
        let work = meter.begin(&request(""));
        assert_eq!(meter.phase(), Phase::Working);
        drop(work);
        let idle = Phase::Idle {
            requests: 1,
            progress: 0,
        };
        assert_eq!(meter.phase(), idle);

        let mut full = std::pin::pin!(stream.write_all(&[0; 100]));
        let pending = std::future::poll_fn(|cx| Poll::Ready(full.as_mut().poll(cx).is_pending()));
        assert!(pending.await);
        assert_eq!(meter.phase(), Phase::Blocked { progress: 0 });
        let mut taken = [0; 100];
        let (written, _) = tokio::join!(full, far.read_exact(&mut taken));
        written.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(meter.phase(), idle);

        far.write_all(b"P").await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        assert_eq!(meter.phase(), Phase::Head { requests: 1 });
    }

    #[tokio::test]
    async fn all_slices_are_written_few_bytes_or_many() {
        let half = [b'x'; JOINED_BYTES_MAX / 2];
        let cases: [&[&[u8]]; 5] = [
            &[b"one"],
            &[b"head", b"body", b""],
            &[&half, &half],
            &[&half, &half, b"more"],
            &[&[b'x'; JOINED_BYTES_MAX + 1]],
        ];
        for parts in cases {
            let (near, mut far) = tokio::io::duplex(64 * 1024);
            let mut stream = Metered::new(near, Arc::default());
            let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let mut written = stream.write_vectored(&slices).await.unwrap();
            let all = parts.concat();
            while written < all.len() {
                written += stream.write(&all[written..]).await.unwrap();
            }
            drop(stream);
            let mut read = Vec::new();
            far.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, all);
        }
    }

    #[tokio::test]
    async fn closing_waits_for_a_peer_that_may_be_sending() {
        let meter = Arc::new(Meter::default());
        let (near, mut far) = tokio::io::duplex(64);
        let mut stream = Metered::new(near, Arc::clone(&meter));
        drop(meter.begin(&request("body")));
        let closing = tokio::spawn(async move { stream.shutdown().await });
        far.write_all(&[0; 1000]).await.unwrap();
        assert_eq!(meter.phase(), Phase::Lingering);
        drop(far);
        closing.await.unwrap().unwrap();
    }

    #[test]
    fn only_waiting_for_the_client_runs_out() {
        let start = Instant::now()
            .checked_sub(Duration::from_secs(60))
            .expect("a clock that has run for a minute");
        let idle = Phase::Idle {
            requests: 1,
            progress: 0,
        };
        let cases = [
            (Phase::Head { requests: 0 }, Verdict::Drop),
            (idle, Verdict::Leave),
            (Phase::Blocked { progress: 0 }, Verdict::Drop),
            (Phase::Lingering, Verdict::Drop),
        ];
        for (phase, expected) in cases {
            let meter = Arc::new(Meter::default());
            if phase != (Phase::Head { requests: 0 }) {
                drop(meter.begin(&request("")));
            }
            match phase {
                Phase::Blocked { .. } => meter.write_blocked.store(true, Ordering::Relaxed),
                Phase::Lingering => meter.lingering.store(true, Ordering::Relaxed),
                Phase::Head { .. } | Phase::Idle { .. } | Phase::Working => {}
            }
            let mut watch = Watch::new(PATIENCE, start);
            watch.phase = phase;
            assert_eq!(watch.check(&meter, true), expected, "{phase:?}");
        }
        let meter = Arc::new(Meter::default());
        let _work = meter.begin(&request(""));
        let mut watch = Watch::new(PATIENCE, start);
        watch.phase = Phase::Working;
        assert!(matches!(watch.check(&meter, true), Verdict::Wait(_)));
    }

    #[test]
    fn after_leaving_the_rest_gets_a_last_wait() {
        let start = Instant::now()
            .checked_sub(Duration::from_secs(60))
            .expect("a clock that has run for a minute");
        let meter = Arc::new(Meter::default());
        drop(meter.begin(&request("")));
        let mut watch = Watch::new(PATIENCE, start);
        watch.phase = meter.phase();
        assert_eq!(watch.check(&meter, true), Verdict::Leave);
        assert!(matches!(watch.check(&meter, true), Verdict::Wait(_)));
        watch.left = Some(start);
        assert_eq!(watch.check(&meter, true), Verdict::Drop);
    }
}
