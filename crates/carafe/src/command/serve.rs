//! `carafe serve`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use arc_swap::ArcSwap;
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use carafe_store::store::Database;
use carafe_web::app::App;
use carafe_web::layers::{self, Connection};
use carafe_web::pages::site::Site;
use carafe_web::server::{Limits, Server};
use carafe_web::sign::SecretKey;

use crate::application;
use crate::args;
use crate::command::report;
use crate::config::{self, ServeConfig};
use crate::telemetry;
use crate::watch::Watch;

/// Serves the application until Ctrl-C or SIGTERM.
pub(super) fn run(args: &args::Serve) -> Result<()> {
    // Before the files are read: what changes from now on is taken up.
    let watch = Watch::new(&args.folder);
    let schema = application::read_schema(&args.folder)?;
    let config = config::serve(args)?;
    telemetry::start(&config.log_level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start")?;
    runtime.block_on(serve(&args.folder, watch, schema, &config))
}

async fn serve(
    folder: &Path,
    watch: Watch,
    schema: Arc<Schema>,
    config: &ServeConfig,
) -> Result<()> {
    let key = SecretKey::new(&config::secret_key(config)?)
        .map_err(|error| anyhow!("{error}\n\nhint: `openssl rand -hex 32` makes a good one"))
        .context("the secret key cannot be used")?;
    let database = application::open(&config.database)?;
    let maker = Maker {
        folder: folder.to_owned(),
        database: database.clone(),
        key,
        public_url: config.public_url.clone(),
    };
    let app = maker.make(&schema).await?;
    let server = bind(config).await?;
    announce(&schema, config, server.addresses());
    let current = Arc::new(ArcSwap::from_pointee(app));
    let watching = tokio::spawn(take_up_changes(watch, maker, current.clone()));
    // A proxy that speaks https for us is where the client's connection ends.
    let secure = config
        .public_url
        .as_ref()
        .is_some_and(|url| url.starts_with("https://"));
    let handler = move |request, peer: carafe_web::server::Peer| {
        let connection = Connection {
            secure,
            local: Some(peer.local),
        };
        layers::handle(current.load_full(), request, connection)
    };
    server.serve(handler, stopped()).await;
    watching.abort();
    database.close().await;
    println!("Stopped.");
    Ok(())
}

/// Makes what is served from a declaration, at start-up and after each change of it.
struct Maker {
    folder: PathBuf,
    database: Database,
    key: SecretKey,
    public_url: Option<String>,
}

impl Maker {
    async fn make(&self, schema: &Arc<Schema>) -> Result<App> {
        // Templates first: a broken one is reported before a table is made.
        let site = Site::open(schema, Some(&self.folder))?;
        let (service, migrated) = application::prepare(&self.database, schema).await?;
        for change in migrated.changes {
            println!("{change}");
        }
        Ok(App::new(
            service,
            site,
            self.key.clone(),
            self.public_url.clone(),
        ))
    }

    async fn make_again(&self) -> Result<App> {
        self.make(&application::read_schema(&self.folder)?).await
    }
}

/// Takes up a changed declaration or template; with a mistake in it, the mistake is shown and
/// what was served before goes on.
async fn take_up_changes(mut watch: Watch, maker: Maker, current: Arc<ArcSwap<App>>) {
    loop {
        watch.changed().await;
        match maker.make_again().await {
            Ok(app) => {
                current.store(Arc::new(app));
                println!("Took up the change.");
            }
            Err(error) => eprintln!(
                "{}\n\nThe change is not taken up; what was served before goes on.",
                report(&error)
            ),
        }
    }
}

async fn bind(config: &ServeConfig) -> Result<Server> {
    let place = format!("{}:{}", config.host, config.port);
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((config.host.as_str(), config.port))
        .await
        .with_context(|| format!("find {place}: the host comes from --host, HOST or .env"))?
        .collect();
    // One name can stand for several addresses; the first is enough unless the port is fixed.
    let addresses = if config.port == 0 {
        &addresses[..1]
    } else {
        &addresses
    };
    Server::bind(addresses, Limits::default())
        .await
        .with_context(|| {
            format!("listen on {place}: is another server running there? --port takes another")
        })
}

fn announce(schema: &Schema, config: &ServeConfig, addresses: &[SocketAddr]) {
    let bound = addresses
        .first()
        .map(|address| format!("http://{address}"))
        .unwrap_or_default();
    let base = config.public_url.clone().unwrap_or(bound);
    println!("{} is ready.\n", schema.name);
    if schema.pages {
        println!("  Pages     {base}/");
    }
    for prefix in &schema.prefixes {
        for resource in &schema.resources {
            println!("  API       {base}{prefix}{}", api_path(resource));
        }
    }
    match config.database.file() {
        Some(file) => println!("  Database  {}", file.display()),
        None => println!("  Database  in memory, gone when the server stops"),
    }
    println!("\nPress Ctrl-C to stop.");
}

/// Where a resource is under the API's prefix; a record's key stands in braces.
fn api_path(resource: &Resource) -> String {
    match &resource.parent {
        Some(above) => format!("/{}/{{key}}/{}", above.resource, resource.name),
        None => format!("/{}", resource.name),
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
            }
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_under_another_is_announced_where_it_is() {
        let declaration = r#"
[resources.users.fields]
name = { type = "string" }
[resources.emails]
parent = "users"
[resources.emails.fields]
address = { type = "email" }
"#;
        let schema = carafe_model::declaration::parse(declaration, Path::new("shop")).unwrap();
        let paths: Vec<String> = schema.resources.iter().map(api_path).collect();
        assert_eq!(paths, ["/users", "/users/{key}/emails"]);
    }
}
