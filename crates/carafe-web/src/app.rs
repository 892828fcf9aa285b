//! What every request needs, made once at start-up.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use carafe_model::resource::{Method, Resource};
use carafe_model::schema::Schema;
use carafe_service::service::Service;
use http::HeaderValue;

use crate::exchange::Observers;
use crate::health::Health;
use crate::id::Ids;
use crate::json::Encoder;
use crate::openapi::Document;
use crate::pages::site::Site;
use crate::pattern::Patterns;
use crate::rate::Rates;
use crate::recent::{self, Recent};
use crate::sign::SecretKey;

/// One declaration, served. Requests share it by `Arc`; a changed declaration is a new one.
pub struct App {
    pub schema: Arc<Schema>,
    pub service: Service,
    /// One for each resource, at its index.
    pub plans: Vec<Plan>,
    /// `Allow` of a place that can only be read.
    pub allow_get: HeaderValue,
    pub ids: Ids,
    /// What requests are called in the log and in metrics.
    pub patterns: Patterns,
    pub observers: Observers,
    pub health: Arc<Health>,
    /// First pages of lists, by their queries, as long as they are right.
    pub recent_lists: Recent<recent::List>,
    /// The same for people, by their paths and queries.
    pub recent_pages: Recent<Bytes>,
    /// How many requests a client may send.
    pub rates: Rates,
    /// The pages; templates and files are read when they are made.
    pub site: Site,
    /// Signs cookies; the same for every process of one application.
    pub key: SecretKey,
    /// Scheme and authority that clients see, such as `https://notes.example.org`, without a
    /// slash at the end; `None` if it is not known.
    pub public_url: Option<String>,
    /// The OpenAPI document and its JSON, made when they are first asked for.
    document: OnceLock<Document>,
}

/// What the API of one resource needs that does not change.
pub struct Plan {
    pub encoder: Encoder,
    /// `Allow` of the collection and of an item.
    pub allow_collection: HeaderValue,
    pub allow_item: HeaderValue,
}

impl App {
    #[must_use]
    pub fn new(service: Service, site: Site, key: SecretKey, public_url: Option<String>) -> Self {
        let schema = service.schema().clone();
        let plans = schema.resources.iter().map(Plan::new).collect();
        let rates = Rates::new(&schema.limits);
        let patterns = Patterns::new(&schema, &site.own.paths());
        Self {
            schema,
            service,
            plans,
            allow_get: allow(&[Method::Get]),
            ids: Ids::new(),
            patterns,
            observers: Observers::default(),
            health: Arc::default(),
            recent_lists: Recent::default(),
            recent_pages: Recent::default(),
            rates,
            site,
            key,
            public_url,
            document: OnceLock::new(),
        }
    }

    /// Shares what is known of the process.
    #[must_use]
    pub fn with_health(self, health: Arc<Health>) -> Self {
        Self { health, ..self }
    }

    /// Tells `observers` of all requests.
    #[must_use]
    pub fn observed(mut self, observers: Observers) -> Self {
        if let Some(metrics) = &observers.metrics {
            self.patterns.measure(metrics);
        }
        self.observers = observers;
        self
    }

    /// The OpenAPI document.
    #[must_use]
    pub fn document(&self) -> &Document {
        self.document
            .get_or_init(|| Document::new(&self.schema, self.public_url.as_deref()))
    }

    #[must_use]
    pub fn plan(&self, resource: &Resource) -> &Plan {
        &self.plans[resource.index]
    }
}

impl Plan {
    fn new(resource: &Resource) -> Self {
        Self {
            encoder: Encoder::new(resource),
            allow_collection: allow(&resource.methods.collection),
            allow_item: allow(&resource.methods.item),
        }
    }
}

/// `Allow` for `methods`: HEAD goes with GET, and OPTIONS is always there.
#[must_use]
pub fn allow(methods: &[Method]) -> HeaderValue {
    let mut names = Vec::new();
    for method in methods {
        names.push(method.as_str());
        if *method == Method::Get {
            names.push("HEAD");
        }
    }
    names.push("OPTIONS");
    HeaderValue::from_str(&names.join(", ")).expect("method names are tokens")
}
