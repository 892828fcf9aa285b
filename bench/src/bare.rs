//! The limit of HTTP: bare hyper, which answers from memory, or writes with as little as a
//! durable write needs.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use crate::commit::{Journal, Kind};
use crate::server::{Processors, Server};

/// An answer that does not change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fixed {
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What the process is told.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Bare {
    pub(crate) answers: Vec<Fixed>,
    /// `POST /` writes into this database, in this manner.
    pub(crate) journal: Option<(String, Kind)>,
}

impl Bare {
    /// Starts it as a process of its own; `folder` keeps what it is told.
    pub(crate) fn start(&self, folder: &Path) -> Result<Server> {
        let told = folder.join("bare.json");
        std::fs::write(&told, serde_json::to_vec(self)?)?;
        let program = std::env::current_exe()?;
        Server::start(Processors::One, |port| {
            let mut command = Command::new(&program);
            command
                .arg("--bare")
                .arg(&told)
                .args(["--bare-port", &port.to_string()]);
            command
        })
    }
}

/// The process: serves until it is ended.
pub(crate) fn serve(told: &Path, port: u16) -> Result<()> {
    let told = std::fs::read(told).with_context(|| format!("read {}", told.display()))?;
    let bare: Bare = serde_json::from_slice(&told)?;
    let journal = match &bare.journal {
        Some((path, kind)) => Some(Journal::open(Path::new(path), *kind)?),
        None => None,
    };
    let state = Rc::new(State {
        answers: bare.answers.iter().map(Answer::of).collect::<Result<_>>()?,
        journal,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(LocalSet::new().run_until(accept(port, state)))
}

struct State {
    answers: Vec<Answer>,
    journal: Option<Journal>,
}

struct Answer {
    path: String,
    status: StatusCode,
    fields: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn of(fixed: &Fixed) -> Result<Self> {
        let mut fields = HeaderMap::new();
        for (name, value) in &fixed.fields {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            fields.append(name, HeaderValue::from_str(value)?);
        }
        Ok(Self {
            path: fixed.path.clone(),
            status: StatusCode::from_u16(fixed.status)?,
            fields,
            body: Bytes::from(fixed.body.clone()),
        })
    }
}

async fn accept(port: u16, state: Rc<State>) -> Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let state = Rc::clone(&state);
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| answer(&state, request));
            // A client that has gone ends its connection only.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    state: &State,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::POST {
        return Ok(write(state, request).await);
    }
    let path = request.uri().path();
    let found = state.answers.iter().find(|answer| answer.path == path);
    let Some(found) = found else {
        return Ok(status(StatusCode::NOT_FOUND));
    };
    let mut response = Response::new(Full::new(found.body.clone()));
    *response.status_mut() = found.status;
    *response.headers_mut() = found.fields.clone();
    Ok(response)
}

async fn write(state: &State, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Some(journal) = &state.journal else {
        return status(StatusCode::METHOD_NOT_ALLOWED);
    };
    let Ok(body) = request.into_body().collect().await else {
        return status(StatusCode::BAD_REQUEST);
    };
    let Ok(note) = serde_json::from_slice::<Posted>(&body.to_bytes()) else {
        return status(StatusCode::BAD_REQUEST);
    };
    let Ok(id) = journal.write(note.title, note.content).await else {
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut response = Response::new(Full::new(Bytes::from(format!(r#"{{"id":{id}}}"#))));
    *response.status_mut() = StatusCode::CREATED;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[derive(Deserialize)]
struct Posted {
    title: String,
    content: String,
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
