//! Carafe's dispatcher behind the routes of an application's own.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath};
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use carafe_service::service::Service;
use carafe_web::app::App;
use carafe_web::error::Problem;
use carafe_web::layers::{self, Connection};
use carafe_web::pattern::UNMATCHED;
use http::Request;
use tower::{ServiceExt, service_fn};

use crate::app::IN_PROCESS;
use crate::refusal::Refusal;

/// What is served of an application, until a changed declaration takes its place.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) app: Arc<App>,
    /// The own routes with Carafe behind them; without any, Carafe is asked directly.
    router: Option<Router>,
}

impl Served {
    pub(crate) fn new(app: App, routes: Option<&Router<Service>>) -> Self {
        let app = Arc::new(app);
        let router = routes.map(|routes| route(&app, routes.clone()));
        Self { app, router }
    }

    pub(crate) fn has_routes(&self) -> bool {
        self.router.is_some()
    }

    /// Answers a request that came over `connection`.
    pub(crate) async fn answer(
        self,
        mut request: Request<Body>,
        connection: Connection,
    ) -> Response {
        match self.router {
            Some(router) => {
                request.extensions_mut().insert(connection);
                match router.oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
            None => fall_back(self.app, request, connection).await,
        }
    }

    pub(crate) fn into_router(self) -> Router {
        match self.router {
            Some(router) => router,
            None => route(&self.app, Router::new()),
        }
    }
}

fn route(app: &Arc<App>, routes: Router<Service>) -> Router {
    let (before, behind) = (app.clone(), app.clone());
    let around = move |mut request: Request<Body>, next: middleware::Next| {
        let app = before.clone();
        request.extensions_mut().insert(app.schema.limits.clone());
        let connection = connection(&request);
        let pattern = request.extensions().get::<MatchedPath>().cloned();
        async move {
            let pattern = pattern.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
            layers::around(app, request, connection, pattern, |request| {
                next.run(request)
            })
            .await
        }
    };
    let fallback = service_fn(move |request: Request<Body>| {
        let app = behind.clone();
        let connection = connection(&request);
        async move { Ok::<_, Infallible>(fall_back(app, request, connection).await) }
    });
    routes
        .method_not_allowed_fallback(refuse_method)
        .with_state(app.service.clone())
        .layer(DefaultBodyLimit::max(app.schema.limits.body_bytes_max))
        .layer(middleware::from_fn(around))
        .fallback_service(fallback)
}

fn connection(request: &Request<Body>) -> Connection {
    request.extensions().get().copied().unwrap_or(IN_PROCESS)
}

async fn fall_back(app: Arc<App>, request: Request<Body>, connection: Connection) -> Response {
    layers::handle(app, request, connection)
        .await
        .map(Body::new)
}

/// A path of the application's own without this method, or which is asked for its methods; axum
/// adds `Allow`.
async fn refuse_method(method: http::Method) -> Response {
    if method == http::Method::OPTIONS {
        return http::StatusCode::NO_CONTENT.into_response();
    }
    let text = format!("{method} is not possible here");
    Refusal::new(Problem::plain(http::StatusCode::METHOD_NOT_ALLOWED, text)).into_response()
}
