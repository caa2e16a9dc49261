//! TLS settings: which certificates are trusted, which one is shown, and which library computes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::error::Error;

/// Which certificate authorities are trusted besides those of [`ca_files`](super::Options::ca_files).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those that come with the library (Mozilla's), or those of the file that `SSL_CERT_FILE` names.
    #[default]
    Bundled,
    /// Those that the system trusts, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    System,
    /// None.
    Nobody,
}

/// A certificate that servers may ask for, so that they know who calls ("mutual TLS").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// File (PEM) of the certificate and those that vouch for it, its own first.
    pub certificates: PathBuf,
    /// File (PEM) of its private key; the same one if both are in there.
    pub key: PathBuf,
}

/// All of it, before any file is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub roots: Roots,
    /// Trusted instead of the bundled ones, as `SSL_CERT_FILE` names it.
    pub instead: Option<PathBuf>,
    /// Trusted besides.
    pub more: Vec<PathBuf>,
    pub client: Option<ClientCertificate>,
    pub http2: bool,
}

impl Settings {
    /// Whether files must be read for it, which may block.
    pub(super) const fn reads_files(&self) -> bool {
        matches!(self.roots, Roots::System) || self.instead.is_some() || !self.more.is_empty() || self.client.is_some()
    }

    /// The settings for all connections of a client. Nothing is installed process-wide.
    pub(super) fn read(&self) -> Result<ClientConfig, Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Tls { target: "any server".into(), reason: error.to_string() })?
            .with_root_certificates(self.trusted()?);
        let mut config = match &self.client {
            None => config.with_no_client_auth(),
            Some(client) => {
                let unusable =
                    |path: &Path, reason| Error::ClientCertificate { path: path.display().to_string(), reason };
                let certificates = read_certificates(&client.certificates)
                    .and_then(|all| if all.is_empty() { Err("no certificate in it".into()) } else { Ok(all) })
                    .map_err(|reason| unusable(&client.certificates, reason))?;
                let key = PrivateKeyDer::from_pem_file(&client.key)
                    .map_err(|error| unusable(&client.key, error.to_string()))?;
                config
                    .with_client_auth_cert(certificates, key)
                    .map_err(|error| unusable(&client.key, error.to_string()))?
            }
        };
        let protocols: &[&[u8]] = if self.http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }

    fn trusted(&self) -> Result<RootCertStore, Error> {
        let mut store = RootCertStore::empty();
        match (self.roots, &self.instead) {
            (Roots::Bundled, Some(path)) => add_file(&mut store, path)?,
            (Roots::Bundled, None) => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            (Roots::System, _) => {
                let found = rustls_native_certs::load_native_certs();
                if store.add_parsable_certificates(found.certs).0 == 0 {
                    let reason = found.errors.first().map_or_else(|| "there are none".into(), ToString::to_string);
                    return Err(Error::Roots { path: "the system's store".into(), reason });
                }
            }
            (Roots::Nobody, _) => {}
        }
        for path in &self.more {
            add_file(&mut store, path)?;
        }
        Ok(store)
    }
}

fn add_file(store: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    let unusable = |reason: String| Error::Roots { path: path.display().to_string(), reason };
    let certificates = read_certificates(path).map_err(unusable)?;
    // Bundles of systems hold some old certificates that are not usable; one that is usable is enough.
    match store.add_parsable_certificates(certificates) {
        (0, _) => Err(unusable("no usable certificate in it".into())),
        _ => Ok(()),
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    certificates.map(|certificate| certificate.map_err(|error| error.to_string())).collect()
}

#[cfg(feature = "aws-lc-rs")]
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}
