//! TLS of the listener: a certificate and its key from PEM files, which can be read again while
//! connections go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use x509_cert::der::Decode;

/// A certificate with its key, for every connection that begins from now on.
#[derive(Debug)]
pub struct Tls {
    files: Files,
    config: ArcSwap<ServerConfig>,
}

/// Where a certificate is.
#[derive(Clone, Debug)]
pub struct Files {
    /// PEM: the server's certificate first, then those that lead to the authority.
    pub certificate: PathBuf,
    /// PEM: a private key in PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: PathBuf,
}

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {cause}", .path.display())]
    Unreadable { path: PathBuf, cause: pem::Error },
    #[error("there is no certificate in {}: a PEM file has -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    #[error(
        "there is no private key in {}: a PEM file has -----BEGIN PRIVATE KEY-----, and is not encrypted",
        .0.display()
    )]
    NoKey(PathBuf),
    #[error("{} is the key of another certificate than {}", .0.key.display(), .0.certificate.display())]
    OtherKey(Files),
    #[error("{} and {} cannot be used: {cause}", .files.certificate.display(), .files.key.display())]
    Unusable { files: Files, cause: rustls::Error },
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Where one cannot be used, with its name.
    pub fn read(files: Files) -> Result<Self, Error> {
        let config = ArcSwap::from(files.config()?);
        Ok(Self { files, config })
    }

    /// Reads the files again. Connections that are open keep what they have.
    ///
    /// # Errors
    ///
    /// Where one cannot be used; what was in use stays so.
    pub fn read_again(&self) -> Result<(), Error> {
        self.config.store(self.files.config()?);
        Ok(())
    }

    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

impl Files {
    fn config(&self) -> Result<Arc<ServerConfig>, Error> {
        let unusable = |cause| match cause {
            rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch) => {
                Error::OtherKey(self.clone())
            }
            cause => Error::Unusable {
                files: self.clone(),
                cause,
            },
        };
        let certificates = read_certificates(&self.certificate)?;
        let key = read_key(&self.key)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The last moment at which the server's certificate is valid; `None` where it does not say
    /// so in a way that can be read.
    ///
    /// # Errors
    ///
    /// Where the certificate cannot be read.
    pub fn expires(&self) -> Result<Option<jiff::Timestamp>, Error> {
        let certificates = read_certificates(&self.certificate)?;
        let parsed = x509_cert::Certificate::from_der(&certificates[0]).ok();
        let seconds = parsed.map(|certificate| {
            let validity = certificate.tbs_certificate.validity;
            validity.not_after.to_unix_duration().as_secs()
        });
        let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
        Ok(seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()))
    }
}

/// At least one.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = |cause| Error::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(unreadable)?;
    match certificates.is_empty() {
        true => Err(Error::NoCertificate(path.to_owned())),
        false => Ok(certificates),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(path).map_err(|cause| match cause {
        pem::Error::NoItemsFound => Error::NoKey(path.to_owned()),
        cause => Error::Unreadable {
            path: path.to_owned(),
            cause,
        },
    })
}
