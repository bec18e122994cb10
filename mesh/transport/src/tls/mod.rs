//! TLS of our own, for a deployment without a service mesh: certificates from files, reloaded when the files change.
//!
//! One [`Tls`] serves a whole process. The listener shows its certificate and, if a CA for clients is configured, demands one of
//! them (mutual TLS); clients verify `https` addresses and show the same certificate. A certificate says that the peer belongs to
//! this installation. The token says *who* calls, in either case.
//!
//! A connection keeps the certificate that it began with; new connections use the new one. So a rotation breaks no connection.

mod files;
mod reload;

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use mesh_foundation::background::Background;
use tokio_rustls::rustls::{
    self, ClientConfig, ServerConfig,
    pki_types::{CertificateDer, ServerName},
    server::VerifierBuilderError,
};
use webpki::EndEntityCert;

pub(crate) use self::files::client_of;
use self::files::{Authorities, Loaded};
use crate::config::TlsConfig;

/// The name of HTTP/2 in a TLS handshake, the only protocol between contexts.
const H2: &[u8] = b"h2";

/// Why TLS cannot be set up from its files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("failed to read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A file holds nothing of the expected kind.
    #[error("{} holds no {what} in PEM", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The certificate and the key are not a pair, or one of them is of an unsupported kind.
    #[error("the certificate and its key cannot be used")]
    Pair(#[source] rustls::Error),
    /// A CA's certificate is of an unsupported kind.
    #[error("{} cannot be used as a CA", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// The CA for clients' certificates cannot be used.
    #[error("the CA for clients' certificates cannot be used")]
    ClientCa(#[source] VerifierBuilderError),
}

/// The TLS of a process. Cheap to clone; clones see the same certificates.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    settings: TlsConfig,
    authorities: Authorities,
    current: RwLock<Current>,
}

/// The configuration of new connections.
#[derive(Clone)]
struct Current {
    server: Option<Arc<ServerConfig>>,
    /// The certificate that is shown.
    leaf: Option<CertificateDer<'static>>,
    client: Arc<ClientConfig>,
    /// A digest of the files, to notice a change.
    fingerprint: [u8; 32],
}

impl Tls {
    /// Reads what `settings` name. Without a certificate there is none for the listener, and clients show none; without a CA
    /// clients trust the public ones.
    pub fn load(settings: &TlsConfig) -> Result<Self, TlsError> {
        Self::read(settings, Authorities::Public)
    }

    /// The same for a command line: without a CA it trusts the authorities that the machine trusts.
    pub fn of_command(settings: &TlsConfig) -> Result<Self, TlsError> {
        Self::read(settings, Authorities::Machine)
    }

    fn read(settings: &TlsConfig, authorities: Authorities) -> Result<Self, TlsError> {
        let current = Loaded::read(settings, authorities)?.current()?;
        Ok(Self(Arc::new(Inner { settings: settings.clone(), authorities, current: RwLock::new(current) })))
    }

    /// Whether the listener speaks TLS, and only TLS.
    pub fn serves(&self) -> bool {
        self.current().server.is_some()
    }

    /// Whether our certificate is valid for that host, so that a client that calls it accepts us.
    pub fn is_for(&self, host: &str) -> bool {
        let (Some(leaf), Ok(name)) = (self.current().leaf, ServerName::try_from(host)) else { return false };
        EndEntityCert::try_from(&leaf).is_ok_and(|leaf| leaf.verify_is_valid_for_subject_name(&name).is_ok())
    }

    /// A host name in our certificate that is not a wildcard, if there is one.
    pub fn host(&self) -> Option<String> {
        let leaf = self.current().leaf?;
        let leaf = EndEntityCert::try_from(&leaf).ok()?;
        leaf.valid_dns_names().find(|name| !name.contains('*')).map(str::to_owned)
    }

    /// The configuration of the next incoming connection.
    pub fn server(&self) -> Option<Arc<ServerConfig>> {
        self.current().server
    }

    /// The configuration of the next outgoing connection.
    pub fn client(&self) -> Arc<ClientConfig> {
        self.current().client
    }

    /// Starts to check the files periodically, and reloads them when they have changed. If they cannot be used, that is logged and counted,
    /// and the old certificates stay in use.
    pub fn start(&self, background: &Background) {
        reload::start(self.clone(), background);
    }

    fn current(&self) -> Current {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why a client cannot make a TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The server's certificate is not trusted: of an unknown CA, for another host, or expired.
    Certificate,
    /// The server does not speak TLS, or not in a way that we support.
    Handshake,
}

impl Obstacle {
    /// The obstacle among the causes of an error, if there is one.
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| {
            // An I/O error's `source` skips the error that it holds.
            let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            let cause = held.and_then(|held| held.downcast_ref()).or_else(|| error.downcast_ref::<rustls::Error>())?;
            Some(match cause {
                rustls::Error::InvalidCertificate(_) => Self::Certificate,
                _ => Self::Handshake,
            })
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("serves", &self.serves()).finish_non_exhaustive()
    }
}
