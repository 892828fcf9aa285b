//! Servers on loopback for tests, and clients of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use carafe::application::{self, Tables};
use carafe::config::DatabaseConfig;
use carafe_model::schema::Schema;
use carafe_service::clock::Clock;
use carafe_service::hook::Hooks;
use carafe_service::service::Service;
use carafe_store::store::{Accept, Database, Durability, Migrated, Store, untold};
use carafe_web::app::App;
use carafe_web::layers::{self, Connection};
use carafe_web::pages::site::Site;
use carafe_web::server::{Limits, Peer, Server};
use carafe_web::sign::SecretKey;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::conformance::Conformance;
use crate::postgres::TestDatabase;

/// 2026-01-01T00:00:00Z in microseconds.
const START: i64 = 1_767_225_600_000_000;

/// An application that is served on a free port of the loopback, with a database of its own
/// and a clock that stands still; a cheap clone. The database is checked when it ends.
#[derive(Clone)]
pub(crate) struct TestApp {
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    client: reqwest::Client,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
    conformance: Arc<Conformance>,
    running: Arc<Running>,
}

struct Running {
    folder: TempDir,
    place: Place,
    database: Database,
    clock: Arc<AtomicI64>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

/// Where the database of an application is.
enum Place {
    /// `data.db` in the application's folder.
    File,
    Postgres(TestDatabase),
}

impl Place {
    /// On PostgreSQL where the tests are run for that, else in a file.
    async fn new() -> Self {
        match crate::postgres::is_asked_for() {
            true => Self::postgres().await,
            false => Place::File,
        }
    }

    async fn postgres() -> Self {
        Place::Postgres(TestDatabase::create().await.expect("a server"))
    }

    fn config(&self, folder: &Path) -> DatabaseConfig {
        DatabaseConfig {
            url: match self {
                Place::File => format!("sqlite:{}", folder.join("data.db").display()),
                Place::Postgres(database) => database.url(),
            },
            durability: Durability::Full,
        }
    }
}

impl Running {
    /// Stops serving, checks the database and closes it; once.
    async fn check(&self) {
        if self.stop.lock().unwrap().take().is_some() {
            let database = match &self.place {
                Place::File => self.database.clone(),
                // Its connections belong to the runtime that made them, which waits for this.
                Place::Postgres(place) => Database::open(&place.url(), Durability::Full).unwrap(),
            };
            let complaints = database
                .check_integrity()
                .await
                .expect("the database can be checked");
            assert!(complaints.is_empty(), "{complaints:?}");
            database.close().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() || self.stop.lock().unwrap().is_none() {
            return;
        }
        // A runtime cannot wait inside of another's thread.
        std::thread::scope(|scope| {
            let checked = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    self.check().await;
                    if let Place::Postgres(database) = &self.place {
                        database.drop().await;
                    }
                });
            });
            assert!(checked.join().is_ok(), "the database is not sound");
        });
    }
}

/// The service over a database, with its tables made.
async fn prepare(
    database: &Database,
    schema: &Arc<Schema>,
) -> Result<(Service, Migrated), anyhow::Error> {
    application::prepare(database, schema, &Hooks::default(), &[], Tables::Make).await
}

/// A copy of the application in `apps/{name}`.
fn application_folder(name: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    copy(&workspace().join("apps").join(name), folder.path());
    folder
}

/// A folder with a declaration and files (path and text) beside it.
fn folder_of(declaration: &str, files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("carafe.toml"), declaration).unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

impl TestApp {
    /// The notes application.
    pub(crate) async fn notes() -> Self {
        Self::of("notes").await
    }

    /// The application in `apps/{name}`, with all of its files.
    pub(crate) async fn of(name: &str) -> Self {
        let folder = application_folder(name);
        Self::start(folder, Place::new().await, None).await
    }

    /// The application in `folder`, in a copy.
    pub(crate) async fn copy_of(folder: &Path) -> Self {
        let place = TempDir::new().unwrap();
        copy(folder, place.path());
        Self::start(place, Place::new().await, None).await
    }

    /// An application of `declaration`, the text of a `carafe.toml`.
    pub(crate) async fn new(declaration: &str) -> Self {
        Self::with_templates(declaration, &[]).await
    }

    /// The application in `apps/{name}` over SQLite, however the tests are run.
    pub(crate) async fn of_on_sqlite(name: &str) -> Self {
        Self::start(application_folder(name), Place::File, None).await
    }

    /// The application in `apps/{name}` over PostgreSQL.
    pub(crate) async fn of_on_postgres(name: &str) -> Self {
        Self::start(application_folder(name), Place::postgres().await, None).await
    }

    /// An application of `declaration` over SQLite, however the tests are run.
    pub(crate) async fn new_on_sqlite(declaration: &str) -> Self {
        Self::start(folder_of(declaration, &[]), Place::File, None).await
    }

    /// An application of `declaration` over PostgreSQL.
    pub(crate) async fn new_on_postgres(declaration: &str) -> Self {
        Self::start(folder_of(declaration, &[]), Place::postgres().await, None).await
    }

    /// An application with templates (name and text) of its own.
    pub(crate) async fn with_templates(declaration: &str, templates: &[(&str, &str)]) -> Self {
        let paths: Vec<String> = templates
            .iter()
            .map(|(name, _)| format!("templates/{name}"))
            .collect();
        let texts = templates.iter().map(|(_, text)| *text);
        let files: Vec<(&str, &str)> = paths.iter().map(String::as_str).zip(texts).collect();
        Self::with_files(declaration, &files).await
    }

    /// An application with files (path and text) beside its declaration.
    pub(crate) async fn with_files(declaration: &str, files: &[(&str, &str)]) -> Self {
        let folder = folder_of(declaration, files);
        Self::start(folder, Place::new().await, None).await
    }

    /// An application with a file beside its declaration.
    pub(crate) async fn with_file(declaration: &str, name: &str, text: &str) -> Self {
        Self::with_files(declaration, &[(name, text)]).await
    }

    /// Why an application with a file beside its declaration does not start; what was stored
    /// until then is nothing.
    pub(crate) async fn refusal(declaration: &str, name: &str, text: &str) -> String {
        let folder = folder_with(declaration, name, text);
        let schema = application::read_schema(folder.path()).unwrap();
        let place = Place::new().await;
        let config = place.config(folder.path());
        let database = application::open(&config).unwrap();
        let refused = prepare(&database, &schema).await;
        let reason = format!("{:#}", refused.map(drop).unwrap_err());
        let store = Store::new(database.clone(), &schema);
        if database
            .migrate(&schema, &[], Accept::Safe, &untold())
            .await
            .is_ok()
        {
            for resource in &schema.resources {
                assert!(
                    store.is_unused(resource).await.unwrap(),
                    "{}",
                    resource.name
                );
            }
        }
        database.close().await;
        if let Place::Postgres(database) = place {
            database.drop().await;
        }
        reason
    }

    /// The notes application behind a proxy that serves it at `url`.
    pub(crate) async fn notes_at(url: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::copy(
            workspace().join("apps/notes/carafe.toml"),
            folder.path().join("carafe.toml"),
        )
        .unwrap();
        Self::start(folder, Place::new().await, Some(url)).await
    }

    /// The same application on the same database, started anew.
    pub(crate) async fn restart(self) -> Self {
        let Ok(mut running) = Arc::try_unwrap(self.running) else {
            panic!("the application has other clones")
        };
        let folder = TempDir::new().unwrap();
        running.check().await;
        let place = std::mem::replace(&mut running.place, Place::File);
        for entry in std::fs::read_dir(running.folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        Self::start(folder, place, None).await
    }

    async fn start(folder: TempDir, place: Place, public_url: Option<&str>) -> Self {
        let schema =
            application::read_schema(folder.path()).unwrap_or_else(|error| panic!("{error}"));
        let config = place.config(folder.path());
        let database = application::open(&config).unwrap();
        prepare(&database, &schema)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"));
        let clock = Arc::new(AtomicI64::new(START));
        let app = Arc::new(make(&schema, &database, &clock, folder.path(), public_url));
        let server = Server::bind(&["127.0.0.1:0".parse().unwrap()], Limits::default())
            .await
            .unwrap();
        let base = format!("http://{}", server.addresses()[0]);
        let (stop, stopped) = oneshot::channel();
        let served = app.clone();
        let secure = public_url.is_some_and(|url| url.starts_with("https"));
        let handler = move |request, peer: Peer| {
            let connection = Connection {
                secure,
                local: Some(peer.local.ip()),
                client: Some(peer.remote.ip()),
            };
            layers::handle(served.clone(), request, connection)
        };
        tokio::spawn(server.serve(handler, async { drop(stopped.await) }));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .no_gzip();
        Self {
            base,
            client: client.build().unwrap(),
            cookies: Arc::default(),
            conformance: Arc::new(Conformance::to(&app)),
            running: Arc::new(Running {
                folder,
                place,
                database,
                clock,
                stop: Mutex::new(Some(stop)),
            }),
        }
    }

    /// Moves the clock on by a second.
    pub(crate) fn tick(&self) {
        self.advance(1);
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, seconds: i64) {
        self.running
            .clock
            .fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request {
            client: self.client.clone(),
            conformance: self.conformance.clone(),
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            url: format!("{}{path}", self.base),
            headers: HeaderMap::new(),
            query: Vec::new(),
            body: None,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        let reply = self
            .request("GET", path)
            .header("cookie", self.cookie())
            .send()
            .await;
        self.keep(&reply);
        reply
    }

    /// Asks for a page, as a browser does.
    pub(crate) async fn get_html(&self, path: &str) -> Reply {
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let request = self.request("GET", path).header("cookie", self.cookie());
        let reply = request.header("accept", accept).send().await;
        self.keep(&reply);
        reply
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.request("POST", path).json(body).send().await
    }

    /// Opens the form at `path` and sends it as a browser does, with these values typed in.
    pub(crate) async fn form(&self, path: &str, values: &[(&str, &str)]) -> Reply {
        let page = self.get(path).await;
        self.submit(&page, path, values).await
    }

    /// Sends the form that `page` shows, with its hidden values and these typed in.
    pub(crate) async fn submit(&self, page: &Reply, path: &str, values: &[(&str, &str)]) -> Reply {
        self.submit_from(&self.base.clone(), page, path, values)
            .await
    }

    /// Sends a form as if a page of another site had sent it.
    pub(crate) async fn form_from(
        &self,
        origin: &str,
        path: &str,
        values: &[(&str, &str)],
    ) -> Reply {
        let page = self.get(path).await;
        self.submit_from(origin, &page, path, values).await
    }

    pub(crate) async fn submit_from(
        &self,
        origin: &str,
        page: &Reply,
        path: &str,
        values: &[(&str, &str)],
    ) -> Reply {
        let mut pairs: Vec<(String, String)> = hidden_inputs(&page.text());
        pairs.extend(
            values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let body = serde_urlencoded(&pairs);
        let request = self
            .request("POST", path)
            .header("cookie", self.cookie())
            .header("origin", origin);
        let reply = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await;
        self.keep(&reply);
        reply
    }

    /// Goes where a redirect leads.
    pub(crate) async fn follow(&self, reply: &Reply) -> Reply {
        self.get(reply.header("location")).await
    }

    /// Sends bytes as they are, and returns what came back until the server closed.
    pub(crate) async fn raw(&self, text: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.base.trim_start_matches("http://"))
            .await
            .unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read =
            tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        read.expect("the server closes the connection").ok();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn cookie(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn keep(&self, reply: &Reply) {
        let mut cookies = self.cookies.lock().unwrap();
        for line in reply.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            assert!(
                line.contains("HttpOnly")
                    && line.contains("SameSite=Lax")
                    && line.contains("Path=/"),
                "{line}"
            );
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            match line.contains("Max-Age=0") {
                true => cookies.remove(name),
                false => cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
    }
}

/// Copies the files of a folder and of those in it, but what serving it has written there:
/// databases, their migrations, and the key.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, name) = entry
            .map(|entry| (entry.path(), entry.file_name()))
            .unwrap();
        match entry.is_dir() {
            true if name == "migrations" => {}
            true => copy(&entry, &to.join(name)),
            false if name == "secret.key" || name.to_string_lossy().contains("data.db") => {}
            false => drop(std::fs::copy(&entry, to.join(name)).unwrap()),
        }
    }
}

fn folder_with(declaration: &str, name: &str, text: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("carafe.toml"), declaration).unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    folder
}

fn make(
    schema: &Arc<Schema>,
    database: &Database,
    clock: &Arc<AtomicI64>,
    folder: &Path,
    public_url: Option<&str>,
) -> App {
    let store = Store::new(database.clone(), schema);
    let service = Service::new(schema.clone(), store, Clock::Fixed(clock.clone()));
    let site = Site::open(schema, Some(folder)).unwrap_or_else(|error| panic!("{error}"));
    App::new(
        service,
        site,
        SecretKey::new(&[7; 32]).unwrap(),
        public_url.map(str::to_owned),
    )
}

/// Names and values of the hidden inputs of a page.
pub(crate) fn hidden_inputs(html: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let start = tag.find(&format!("{name}=\""))? + name.len() + 2;
        Some(tag[start..].split('"').next()?.replace("&amp;", "&"))
    };
    html.split("<input")
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap_or_default())
        .filter(|tag| tag.contains("type=\"hidden\""))
        .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
        .collect()
}

pub(crate) fn serde_urlencoded(pairs: &[(String, String)]) -> String {
    let encode = |text: &str| {
        let mut out = String::new();
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                    out.push(char::from(byte))
                }
                b' ' => out.push('+'),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
        out
    };
    pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// A request that is being put together.
pub(crate) struct Request {
    client: reqwest::Client,
    conformance: Arc<Conformance>,
    method: Method,
    url: String,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    body: Option<Bytes>,
}

impl Request {
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        if !(name == "cookie" && value.as_ref().is_empty()) {
            self.headers
                .append(name, HeaderValue::from_str(value.as_ref()).unwrap());
        }
        self
    }

    pub(crate) fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        self.query.extend(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        self
    }

    pub(crate) fn json(self, body: Value) -> Self {
        let request = self.body(body.to_string());
        match request.headers.contains_key("content-type") {
            true => request,
            false => request.header("content-type", "application/json"),
        }
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(crate) fn send(self) -> impl Future<Output = Reply> + Send + 'static {
        let mut url = self.url;
        if !self.query.is_empty() {
            url = format!("{url}?{}", serde_urlencoded(&self.query));
        }
        let (conformance, method) = (self.conformance, self.method.clone());
        let mut request = self.client.request(self.method, url).headers(self.headers);
        if let Some(body) = self.body {
            request = request.body(body);
        }
        async move {
            let response = request.send().await.expect("an answer");
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let path = response.url().path().to_owned();
            let reply = Reply {
                status,
                headers,
                body: response.bytes().await.expect("the whole body"),
            };
            conformance.check(&method, &path, &reply);
            reply
        }
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The value of a header field, empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}
