//! Metrics for Prometheus: a listener of their own, and what is answered there.

mod process;
mod text;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use carafe_store::figures::{EngineFigures, Figures, PostgresFigures, SqliteFigures};
use carafe_store::store::Database;
use carafe_web::content::Content;
use carafe_web::metrics::{Metrics, Requests};
use carafe_web::server::{Connections, Limits, Server};
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::metrics::text::Text;
use crate::routes::Served;

/// Connections of those who ask.
const CONNECTIONS_MAX: usize = 16;

/// Microseconds of a second: in what times are counted and shown.
const MICROS: u32 = 1_000_000;

/// Where the numbers come from.
pub(crate) struct Sources {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) database: Database,
    pub(crate) connections: Connections,
    pub(crate) served: Arc<ArcSwap<Served>>,
}

/// Binds the address of the metrics.
///
/// # Errors
///
/// Where it cannot be bound.
pub(crate) async fn bind(address: SocketAddr) -> Result<Server> {
    let limits = Limits {
        connections_max: CONNECTIONS_MAX,
        ..Limits::default()
    };
    let server = Server::bind(&[address], limits).await;
    server.with_context(|| format!("listen on {address} for metrics (--metrics)"))
}

/// Answers `/metrics`, and nothing else, until the process ends.
pub(crate) async fn serve(server: Server, sources: Sources) {
    let sources = Arc::new(sources);
    let handler = move |request: http::Request<hyper::body::Incoming>, _| {
        let sources = Arc::clone(&sources);
        async move {
            match (request.uri().path(), request.method()) {
                ("/metrics", &Method::GET | &Method::HEAD) => {
                    let mut response = Response::new(Content::from(sources.text().await));
                    let kind = HeaderValue::from_static(text::CONTENT_TYPE);
                    response.headers_mut().insert(CONTENT_TYPE, kind);
                    response
                }
                ("/metrics", _) => {
                    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                    let allow = HeaderValue::from_static("GET, HEAD");
                    response.headers_mut().insert(ALLOW, allow);
                    response
                }
                _ => empty(StatusCode::NOT_FOUND),
            }
        }
    };
    server.serve(handler, std::future::pending()).await;
}

fn empty(status: StatusCode) -> Response<Content> {
    let mut response = Response::new(Content::default());
    *response.status_mut() = status;
    response
}

impl Sources {
    async fn text(&self) -> bytes::Bytes {
        let schema = Arc::clone(&self.served.load().app.schema);
        let figures = self.database.figures(&schema).await;
        let mut text = Text::default();
        text.family(
            "carafe_build_info",
            "gauge",
            "The version that runs, as a label.",
        );
        let version = env!("CARGO_PKG_VERSION");
        text.sample("carafe_build_info", &[("version", version)], 1);
        requests(&mut text, &self.metrics);
        text.gauge(
            "http_connections_open",
            "Connections of clients.",
            self.connections.open(),
        );
        database(&mut text, &figures);
        process::write(&mut text);
        bytes::Bytes::from(text.into_string())
    }
}

fn requests(text: &mut Text, metrics: &Metrics) {
    let requests = metrics.requests();
    let name = "http_requests_total";
    text.family(name, "counter", "Requests that were answered.");
    for Requests {
        route,
        method,
        statuses,
        ..
    } in &requests
    {
        for (status, count) in statuses {
            let status = status.to_string();
            let labels = [
                ("method", *method),
                ("route", route.as_str()),
                ("status", &status),
            ];
            text.sample(name, &labels, count);
        }
    }
    let name = "http_request_duration_seconds";
    text.family(
        name,
        "histogram",
        "Time from the head of a request to that of its answer.",
    );
    for request in &requests {
        let labels = [("method", request.method), ("route", &request.route)];
        text.histogram(name, &labels, &request.time, MICROS);
    }
    text.gauge(
        "http_requests_in_flight",
        "Requests that are under way.",
        metrics.in_flight(),
    );
}

fn database(text: &mut Text, figures: &Figures) {
    if let Some(size) = figures.size_bytes {
        text.gauge("carafe_database_size_bytes", "Size of the database.", size);
    }
    match &figures.engine {
        EngineFigures::Sqlite(sqlite) => self::sqlite(text, sqlite),
        EngineFigures::Postgres(postgres) => self::postgres(text, postgres),
    }
}

fn sqlite(text: &mut Text, figures: &SqliteFigures) {
    if let Some(bytes) = figures.log_bytes {
        text.gauge(
            "carafe_wal_size_bytes",
            "Size of SQLite's write-ahead log.",
            bytes,
        );
    }
    text.gauge(
        "carafe_writes_waiting",
        "Writes that wait for the thread that writes.",
        figures.writes_waiting,
    );
    let name = "carafe_write_batch_size";
    text.family(name, "histogram", "Writes that were committed together.");
    text.histogram(name, &[], &figures.batches, 1);
    let name = "carafe_commit_duration_seconds";
    text.family(
        name,
        "histogram",
        "Time of a commit, with a checkpoint in it.",
    );
    text.histogram(name, &[], &figures.commits, MICROS);
    let name = "carafe_checkpoint_duration_seconds";
    let help = "Time in which the write-ahead log was carried over into the database.";
    text.family(name, "histogram", help);
    text.histogram(name, &[], &figures.checkpoints, MICROS);
    text.gauge(
        "carafe_reads_in_progress",
        "Connections to SQLite that read.",
        figures.reads,
    );
    text.gauge(
        "carafe_reads_waiting",
        "Reads that wait for a thread.",
        figures.reads_waiting,
    );
    if let Some(rows) = figures.search_pending {
        text.gauge(
            "carafe_search_pending_rows",
            "Rows that the search index has yet to take in.",
            rows,
        );
    }
}

fn postgres(text: &mut Text, figures: &PostgresFigures) {
    text.gauge(
        "carafe_pool_connections",
        "Connections to PostgreSQL.",
        figures.connections,
    );
    text.gauge(
        "carafe_pool_connections_idle",
        "Connections to PostgreSQL that nobody uses.",
        figures.idle,
    );
    text.gauge(
        "carafe_pool_connections_max",
        "Connections to PostgreSQL that there may be at once.",
        figures.connections_max,
    );
    text.gauge(
        "carafe_pool_waiting",
        "Requests that wait for a connection to PostgreSQL.",
        figures.waiting,
    );
}
