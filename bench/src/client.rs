//! Load: connections that send a request, wait for the answer, and send the next.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use futures_util::future::try_join_all;
use tokio::net::TcpStream;

use crate::processor;
use crate::sample::Sample;
use crate::server::{Processors, Server};

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// What the connections ask.
pub(crate) trait Requests {
    /// Writes the next request of a connection, head and body.
    fn write(&mut self, connection: usize, request: &mut Vec<u8>);

    /// Looks at an answer.
    ///
    /// # Errors
    ///
    /// What is wrong with it: the measurement ends.
    fn read(&mut self, connection: usize, answer: &Answer<'_>) -> Result<()>;

    /// Whether the request that was just answered is one of those that are measured.
    fn is_measured(&self, _connection: usize) -> bool {
        true
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    head: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// The value of a header field, whose name is in small letters.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(self.head, name)
    }

    /// # Errors
    ///
    /// If the status is another.
    pub(crate) fn expect(&self, status: u16) -> Result<()> {
        if self.status == status {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(600)]);
        bail!(
            "the answer was {} in place of {status}: {body}",
            self.status
        )
    }
}

/// Loads a server from the client's processor.
pub(crate) fn load<R: Requests + Send>(
    server: &Server,
    connections: usize,
    end: End,
    requests: R,
) -> Result<(Sample, R)> {
    let before = server.processor_seconds();
    let (mut sample, requests) = run(server, connections, end, requests)?;
    sample.server_seconds = server.processor_seconds() - before;
    Ok((sample, requests))
}

/// When connections stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    After(Duration),
    /// After so many measured answers of all connections together.
    Count(u64),
}

/// Runs the connections on a thread: of the client's processor, where the server has the other.
pub(crate) fn run<R: Requests + Send>(
    server: &Server,
    connections: usize,
    end: End,
    requests: R,
) -> Result<(Sample, R)> {
    let (address, processors) = (server.address, server.processors);
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            if processors == Processors::One {
                processor::stay_on(processor::CLIENT);
            }
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .event_interval(1)
                .build()?
                .block_on(async {
                    tokio::select! {
                        done = all(address, connections, end, requests) => done,
                        () = stay_awake(processors) => bail!("the client fell asleep"),
                    }
                })
        });
        thread
            .join()
            .map_err(|_| anyhow!("the client ended early"))?
    })
}

/// Looks for answers all the time. A client that sleeps must be woken by the server's processor,
/// which is dear on virtual machines, and dearest for a server that is slow enough to let it
/// sleep.
async fn stay_awake(processors: Processors) {
    while processors == Processors::One && processor::are_two() {
        tokio::task::yield_now().await;
    }
    std::future::pending().await
}

struct Shared<R> {
    requests: R,
    latencies: Vec<u64>,
    started: u64,
}

async fn all<R: Requests>(
    address: SocketAddr,
    connections: usize,
    end: End,
    requests: R,
) -> Result<(Sample, R)> {
    let shared = Rc::new(RefCell::new(Shared {
        requests,
        latencies: Vec::with_capacity(1 << 16),
        started: 0,
    }));
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(Connection::open(address).await?);
    }
    let started = Instant::now();
    let work = streams
        .into_iter()
        .enumerate()
        .map(|(number, connection)| one(connection, number, end, started, &shared));
    try_join_all(work).await?;
    let seconds = started.elapsed().as_secs_f64();
    let Ok(shared) = Rc::try_unwrap(shared) else {
        bail!("a connection is still open");
    };
    let shared = shared.into_inner();
    let sample = Sample {
        count: shared.latencies.len() as u64,
        seconds,
        server_seconds: 0.0,
        latencies: shared.latencies,
    };
    Ok((sample, shared.requests))
}

async fn one<R: Requests>(
    mut connection: Connection,
    number: usize,
    end: End,
    since: Instant,
    shared: &RefCell<Shared<R>>,
) -> Result<()> {
    let mut request = Vec::with_capacity(1024);
    loop {
        let over = match end {
            End::After(duration) => since.elapsed() >= duration,
            End::Count(count) => shared.borrow().started >= count,
        };
        if over {
            return Ok(());
        }
        request.clear();
        {
            let mut shared = shared.borrow_mut();
            shared.started += 1;
            shared.requests.write(number, &mut request);
        }
        let sent = Instant::now();
        let answer = tokio::time::timeout(ANSWER_MAX, connection.exchange(&request));
        let answer = answer
            .await
            .map_err(|_| anyhow!("no answer within {ANSWER_MAX:?}"))??;
        let took = u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut shared = shared.borrow_mut();
        shared.requests.read(number, &answer)?;
        if shared.requests.is_measured(number) {
            shared.latencies.push(took);
        }
    }
}

/// A connection that is opened again where the server closes it after an answer.
struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            address,
            stream: connect(address).await?,
            answer: Vec::with_capacity(64 * 1024),
        })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.send(request).await?;
        self.answer.clear();
        let frame = loop {
            let frame = Frame::of(&self.answer);
            if let Some(frame) = frame.filter(|frame| frame.is_whole(&self.answer)) {
                break frame;
            }
            if self.receive().await? == 0 {
                match frame {
                    Some(frame) if matches!(frame.length, Length::Close) => break frame,
                    _ => bail!("the server closed the connection within an answer"),
                }
            }
        };
        let head = &self.answer[..frame.head];
        if field(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.stream = connect(self.address).await?;
        }
        Ok(Answer {
            status: frame.status,
            head: &self.answer[..frame.head],
            body: &self.answer[frame.head..],
        })
    }

    async fn send(&mut self, mut request: &[u8]) -> Result<()> {
        while !request.is_empty() {
            match self.stream.try_write(request) {
                Ok(count) => request = &request[count..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<usize> {
        loop {
            self.stream.readable().await?;
            self.answer.reserve(16 * 1024);
            match self.stream.try_read_buf(&mut self.answer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Where an answer's head and body end (RFC 9112 §6).
#[derive(Clone, Copy, Debug)]
struct Frame {
    status: u16,
    /// Bytes of the head.
    head: usize,
    length: Length,
}

#[derive(Clone, Copy, Debug)]
enum Length {
    Bytes(usize),
    Chunked,
    Close,
}

impl Frame {
    fn of(answer: &[u8]) -> Option<Self> {
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
        let fields = &answer[..head];
        let length = if matches!(status, 204 | 304) {
            Length::Bytes(0)
        } else if let Some(length) = field(fields, "content-length") {
            Length::Bytes(length.parse().ok()?)
        } else if field(fields, "transfer-encoding").is_some() {
            Length::Chunked
        } else {
            Length::Close
        };
        Some(Self {
            status,
            head,
            length,
        })
    }

    fn is_whole(self, answer: &[u8]) -> bool {
        match self.length {
            Length::Bytes(length) => answer.len() >= self.head + length,
            Length::Chunked => answer.ends_with(b"0\r\n\r\n"),
            Length::Close => false,
        }
    }
}

/// The value of a header field, whose name is in small letters.
fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (start, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        start
            .eq_ignore_ascii_case(name.as_bytes())
            .then(|| std::str::from_utf8(value).ok().map(str::trim))?
    })
}
