//! Who is told of a server's requests, as its settings say.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use carafe_store::store::Database;
use carafe_web::exchange::Observers;
use carafe_web::metrics::Metrics;
use carafe_web::outbox::outbox;
use carafe_web::server::Server;

use crate::args::{Place, Serve};
use crate::export::{Client, Exporter, otlp, sentry};
use crate::metrics::{self, Sources};
use crate::routes::Served;

/// Spans, and error reports, that wait to be sent.
const SPANS_MAX: usize = 4096;
const FAILURES_MAX: usize = 64;

/// What runs beside a server for those who observe it.
#[derive(Default)]
pub(crate) struct Observing {
    pub(crate) observers: Observers,
    exporters: Vec<Exporter>,
    metrics: Option<Server>,
}

impl Observing {
    /// Binds the address of the metrics, and starts to send what is sent. `name` is that of the
    /// application.
    ///
    /// # Errors
    ///
    /// Where a setting cannot be used.
    pub(crate) async fn start(args: &Serve, name: &str) -> Result<Self> {
        let mut observing = Self::default();
        if let Some(address) = args.metrics {
            observing.metrics = Some(metrics::bind(address).await?);
            observing.observers.metrics = Some(Arc::<Metrics>::default());
        }
        if args.otlp_endpoint.is_some() || args.sentry_dsn.is_some() {
            observing.export(args, name, Client::new()?)?;
        }
        Ok(observing)
    }

    fn export(&mut self, args: &Serve, name: &str, client: Client) -> Result<()> {
        if let Some(endpoint) = &args.otlp_endpoint {
            let headers = args.otlp_headers.as_deref().unwrap_or_default();
            let service = args.service_name.as_deref().unwrap_or(name);
            let receiver = otlp::receiver(endpoint, headers, service)
                .context("--otlp-endpoint and --otlp-headers cannot be used")?;
            let (spans, collector) = outbox(SPANS_MAX);
            self.observers.spans = Some(spans);
            let exporter = Exporter::start(collector, receiver, client.clone());
            self.exporters.push(exporter);
        }
        if let Some(dsn) = &args.sentry_dsn {
            let environment = match args.env {
                Place::Development => "development",
                Place::Production => "production",
            };
            let receiver = sentry::receiver(dsn, environment)?;
            let (failures, collector) = outbox(FAILURES_MAX);
            self.observers.failures = Some(failures);
            let exporter = Exporter::start(collector, receiver, client);
            self.exporters.push(exporter);
        }
        Ok(())
    }

    /// Answers metrics, where they are asked for, and returns at which address.
    pub(crate) fn answer_metrics(
        &mut self,
        server: &Server,
        database: &Database,
        served: &Arc<ArcSwap<Served>>,
    ) -> Option<SocketAddr> {
        let listener = self.metrics.take()?;
        let address = listener.addresses().first().copied();
        let sources = Sources {
            metrics: self.observers.metrics.clone()?,
            database: database.clone(),
            connections: server.connections(),
            served: served.clone(),
        };
        tokio::spawn(metrics::serve(listener, sources));
        address
    }

    /// Sends what is left.
    pub(crate) async fn stop(self) {
        for exporter in self.exporters {
            exporter.stop().await;
        }
    }
}
