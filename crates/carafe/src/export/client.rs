//! A client for a POST now and then: HTTP/1.1, a connection each.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a request may take, from looking up the host to the head of the answer.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Where something is sent.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// `http` or `https`, a host, and a path.
    pub(crate) url: Uri,
    pub(crate) content_type: &'static str,
    /// More header fields, secrets among them.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// Why something was not sent.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It will not be taken later either.
    Refused(String),
    /// Nobody is there, or not now.
    Away(String),
}

/// Sends; a cheap clone.
#[derive(Clone)]
pub(crate) struct Client {
    tls: TlsConnector,
}

impl Client {
    /// A client that believes the authorities of the system.
    ///
    /// # Errors
    ///
    /// Where there is no TLS.
    pub(crate) fn new() -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("prepare TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    pub(crate) async fn post(&self, target: &Target, body: Vec<u8>) -> Result<(), Failed> {
        let away = |error: anyhow::Error| Failed::Away(format!("{error:#}"));
        let sent = tokio::time::timeout(TIME_MAX, self.exchange(target, body)).await;
        let status = sent.map_err(|_| away(anyhow!("there was no answer in time")))?;
        let status = status.map_err(away)?;
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(away(anyhow!("the answer was {status}"))),
            status if status.is_success() => Ok(()),
            status => Err(Failed::Refused(format!("the answer was {status}"))),
        }
    }

    async fn exchange(&self, target: &Target, body: Vec<u8>) -> Result<StatusCode> {
        let url = &target.url;
        let host = url.host().unwrap_or_default();
        // Of an IPv6 address without its brackets.
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let is_https = url.scheme() == Some(&Scheme::HTTPS);
        let port = url.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let stream = TcpStream::connect((name, port)).await;
        let stream = stream.with_context(|| format!("connect to {host}:{port}"))?;
        let request = request(target, body)?;
        match is_https {
            false => ask(stream, request).await,
            true => {
                let name = ServerName::try_from(name.to_owned())?;
                let stream = self.tls.connect(name, stream).await;
                ask(
                    stream.with_context(|| format!("speak TLS with {host}"))?,
                    request,
                )
                .await
            }
        }
    }
}

fn request(target: &Target, body: Vec<u8>) -> Result<Request<Full<Bytes>>> {
    let url = &target.url;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::post(path)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("carafe/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, target.content_type)
        .body(Full::new(Bytes::from(body)))?;
    let headers = target.headers.iter().cloned();
    request.headers_mut().extend(headers);
    Ok(request)
}

async fn ask<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    connection.abort();
    Ok(answer.context("wait for the answer")?.status())
}

impl Target {
    /// The URL of a receiver: `http://` or `https://`, a host, perhaps a port and a path.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub(crate) fn parse_url(text: &str) -> Result<Uri> {
        let url: Uri = text.parse().map_err(|_| anyhow!("it is no URL"))?;
        let is_known = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&url.scheme());
        let has_host = url.host().is_some_and(|host| !host.is_empty());
        if !is_known || !has_host || url.query().is_some() {
            bail!("it must be http:// or https://, a host, and perhaps a port and a path");
        }
        Ok(url)
    }
}
