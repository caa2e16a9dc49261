//! TLS settings: which certificates are trusted, and which library computes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::error::Error;

/// Which certificates are trusted.
#[derive(Clone, Debug, Default)]
pub(super) struct Roots {
    /// Trusted instead of the bundled ones, as `SSL_CERT_FILE` names it.
    pub instead: Option<PathBuf>,
    /// Trusted besides.
    pub more: Vec<PathBuf>,
}

/// The settings for all connections of a client. Nothing is installed process-wide.
pub(super) fn config(roots: &Roots, http2: bool) -> Result<ClientConfig, Error> {
    let mut store = RootCertStore::empty();
    match &roots.instead {
        Some(path) => add(&mut store, path)?,
        None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    for path in &roots.more {
        add(&mut store, path)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls { target: "any server".into(), reason: error.to_string() })?
        .with_root_certificates(store)
        .with_no_client_auth();
    let protocols: &[&[u8]] = if http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

fn add(store: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    let unusable = |reason: String| Error::Roots { path: path.display().to_string(), reason };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    let mut added = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        // Bundles of systems hold some old certificates that are not usable; one that is usable is enough.
        added += usize::from(store.add(certificate).is_ok());
    }
    if added == 0 {
        return Err(unusable("no usable certificate in it".into()));
    }
    Ok(())
}

#[cfg(feature = "aws-lc-rs")]
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}
