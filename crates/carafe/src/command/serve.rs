//! `carafe serve`

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use arc_swap::ArcSwap;
use axum::body::Body;
use carafe_service::clock::Clock;
use carafe_store::store::Database;
use carafe_web::exchange::Observers;
use carafe_web::health::Health;
use carafe_web::layers;
use carafe_web::pages::site::Site;
use carafe_web::server::{Peer, Server};
use carafe_web::sign::SecretKey;
use carafe_web::tls::Tls;
use http::{HeaderMap, Request};
use hyper::body::Incoming;

use crate::announcer::Announcer;
use crate::app::App;
use crate::application::{self, Tables, explain};
use crate::args;
use crate::command::report;
use crate::config::{self, DatabaseConfig};
use crate::migrations;
use crate::observing::Observing;
use crate::routes::Served;
use crate::schedule::Schedule;
use crate::signals::{self, Hangups};
use crate::{descriptors, supervisor, telemetry};

/// Tasks that run until the sockets are looked at again. By measurement: at 61, which tokio has of
/// itself, the p99 of readings beside 64 clients that write is a half longer, and at 9 writes are
/// up to 5 % slower.
const EVENT_INTERVAL: u32 = 13;

/// Serves the application until Ctrl-C or SIGTERM.
pub(crate) fn run(app: App, args: &args::Serve) -> Result<()> {
    let _log = telemetry::start(&args.log_level, args.log_format())?;
    descriptors::raise(descriptors::needed(args.max_connections));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build()
        .context("start")?;
    runtime.block_on(serve(app, args))
}

async fn serve(app: App, args: &args::Serve) -> Result<()> {
    let config = DatabaseConfig::from(&args.database);
    let key = SecretKey::new(&config::secret_key(args)?)
        .map_err(|error| anyhow!("{error}\n\nhint: `openssl rand -hex 32` makes a good one"))
        .context("the secret key cannot be used")?;
    let schedule = Schedule::of(args)?;
    let tls = config::tls(args)?.map(Arc::new);
    let mut observing = Observing::start(args, &app.schema.name).await?;
    let mut database = application::open_with(&config, args.slow_query())?;
    if let Some(url) = &args.read_database {
        database = database
            .with_replica(url)
            .context("--read-database cannot be used")?;
    }
    let announcer = Announcer::new(args.log_format());
    let health = Arc::<Health>::default();
    let maker = Maker {
        tables: match args.is_production() && !args.migrate {
            true => Tables::Check,
            false => Tables::Make,
        },
        // What is gone with the server needs no file.
        writes_migrations: !args.is_production() && !config.is_in_memory(),
        database: database.clone(),
        key,
        public_url: args.public_url.clone(),
        observers: observing.observers.clone(),
        health: health.clone(),
        announcer,
    };
    let served = maker.make(&app).await?;
    check_key(&database, &maker.key, args.new_secret_key).await?;
    let has_routes = served.has_routes();
    let server = bind(args).await?.with_tls(tls.clone());
    let reloading = match tls {
        Some(tls) => {
            warn_of_expiry(&tls);
            let hangups = Hangups::watch().context("watch for SIGHUP")?;
            Some(tokio::spawn(reload(tls, hangups)))
        }
        None => None,
    };
    let current = Arc::new(ArcSwap::from_pointee(served));
    let metrics = observing.answer_metrics(&server, &database, &current);
    announcer.ready(&app.schema, args, server.addresses(), metrics);
    if let Some(schedule) = schedule {
        schedule.start()?;
    }
    let watching = tokio::spawn(take_up_changes(app, maker, current.clone()));
    supervisor::tell("READY=1");
    // A proxy that speaks https for us is where the client's connection ends.
    let secure = args
        .public_url
        .as_ref()
        .is_some_and(|url| url.starts_with("https://"));
    let stop = async move {
        signals::stopped().await;
        health.stop();
        supervisor::tell("STOPPING=1");
    };
    let proxies = args.trusted_proxies.clone().unwrap_or_default();
    let connection =
        move |peer: Peer, headers: &HeaderMap| proxies.connection(peer, headers, secure);
    match has_routes {
        false => {
            let handler = move |request: Request<Incoming>, peer| {
                let connection = connection(peer, request.headers());
                // Boxed: the state of a request would be copied from hand to hand.
                Box::pin(layers::handle(
                    current.load().app.clone(),
                    request,
                    connection,
                ))
            };
            server.serve(handler, stop).await;
        }
        true => {
            let handler = move |request: Request<Incoming>, peer| {
                let served = Served::clone(&current.load());
                let connection = connection(peer, request.headers());
                served.answer(request.map(Body::new), connection)
            };
            server.serve(handler, stop).await;
        }
    }
    watching.abort();
    if let Some(reloading) = reloading {
        reloading.abort();
    }
    observing.stop().await;
    database.close().await;
    announcer.say("Stopped.");
    Ok(())
}

/// Refuses a key that other servers on the database do not have: what they sign would be worthless
/// here.
async fn check_key(database: &Database, key: &SecretKey, is_new: bool) -> Result<()> {
    let agreed = database
        .agree("secret_key", &key.fingerprint(), is_new)
        .await
        .map_err(explain)?;
    if agreed {
        return Ok(());
    }
    Err(anyhow!(
        "the secret key is not that of the other servers on this database: forms and messages of \
         theirs would be refused here\n\n\
         hint: give all of them the same SECRET_KEY; `--new-secret-key` says once that it is \
         another one from now on"
    ))
}

/// Makes what is served from an application, at start-up and after each change of its files.
struct Maker {
    tables: Tables,
    /// Migrations are written down in the application's folder.
    writes_migrations: bool,
    database: Database,
    key: SecretKey,
    public_url: Option<String>,
    observers: Observers,
    health: Arc<Health>,
    announcer: Announcer,
}

impl Maker {
    async fn make(&self, app: &App) -> Result<Served> {
        // Templates first: a broken one is reported before a table is made.
        let site = Site::open(&app.schema, Some(&app.folder))?;
        let (service, migrated) = app.prepare(&self.database, self.tables).await?;
        for change in migrated.changes {
            self.announcer.say(&change);
        }
        if migrated.made.is_some() && self.writes_migrations {
            let known = self.database.migrations().await.map_err(explain)?;
            migrations::write_missing(&app.folder, &known)?;
        }
        let (key, public_url) = (self.key.clone(), self.public_url.clone());
        let made = carafe_web::app::App::new(service, site, key, public_url);
        let made = made.observed(self.observers.clone());
        let made = made.with_health(self.health.clone());
        Ok(Served::new(made, app.routes.as_ref()))
    }

    async fn make_again(&self, app: &App) -> Result<Served> {
        self.make(&app.over(&app.folder)?).await
    }
}

/// Takes up a changed declaration, template or page; with a mistake in it, the mistake is shown
/// and what was served before goes on.
async fn take_up_changes(mut app: App, maker: Maker, current: Arc<ArcSwap<Served>>) {
    loop {
        app.watch.changed().await;
        match maker.make_again(&app).await {
            Ok(served) => {
                current.store(Arc::new(served));
                maker.announcer.say("Took up the change.");
            }
            Err(error) => maker.announcer.refuse(&report(&error)),
        }
    }
}

/// The listener: sockets that the supervisor has opened, else the address of the settings.
async fn bind(args: &args::Serve) -> Result<Server> {
    let limits = config::limits(args);
    let sockets = supervisor::sockets()?;
    if !sockets.is_empty() {
        return Server::from_sockets(sockets, limits)
            .context("listen on the sockets of LISTEN_FDS");
    }
    let place = format!("{}:{}", args.host, args.port);
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((args.host.as_str(), args.port))
        .await
        .with_context(|| format!("find {place}: the host comes from --host, HOST or .env"))?
        .collect();
    // One name can stand for several addresses; the first is enough unless the port is fixed.
    let addresses = if args.port == 0 {
        &addresses[..1]
    } else {
        &addresses
    };
    Server::bind(addresses, limits).await.with_context(|| {
        format!("listen on {place}: is another server running there? --port takes another")
    })
}

/// Reads the certificate again at every SIGHUP; one that cannot be used is logged, and what was in
/// use goes on.
async fn reload(tls: Arc<Tls>, mut hangups: Hangups) {
    loop {
        hangups.next().await;
        match tls.read_again() {
            Ok(()) => {
                tracing::info!("Took up the certificate");
                warn_of_expiry(&tls);
            }
            Err(error) => {
                tracing::error!(%error, "The certificate is not taken up; the one before goes on");
            }
        }
    }
}

fn warn_of_expiry(tls: &Tls) {
    if let Ok(Some(expires)) = tls.files().expires()
        && expires < Clock::System.timestamp()
    {
        tracing::warn!(%expires, "The certificate has expired: clients refuse it");
    }
}
