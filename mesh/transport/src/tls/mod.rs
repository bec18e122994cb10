//! TLS of our own, where no service mesh brings it: certificates from files, taken up anew when the files change.
//!
//! One [`Tls`] serves a whole process. The listener shows its certificate and, if a CA for clients is configured, demands one of
//! them (mutual TLS); clients verify `https` addresses and show the same certificate. A certificate says that the line leads to
//! somebody who belongs here. *Who* calls is said by the token, in either case.
//!
//! A connection keeps the certificate that it began with; new ones take the new one. So a rotation cuts nobody off.

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

/// What HTTP/2 is called in a TLS handshake. Nothing else is spoken between contexts.
const H2: &[u8] = b"h2";

/// Why TLS cannot be had from its files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file holds nothing of what it should hold.
    #[error("{} holds no {what} in PEM", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The certificate and the key are no pair, or one of them is of a kind that is not known here.
    #[error("the certificate and its key cannot be used")]
    Pair(#[source] rustls::Error),
    /// A CA's certificate is of a kind that is not known here.
    #[error("{} cannot be used as a CA", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// The CA for clients' certificates is none.
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

/// What new connections take.
#[derive(Clone)]
struct Current {
    server: Option<Arc<ServerConfig>>,
    /// The certificate that is shown.
    leaf: Option<CertificateDer<'static>>,
    client: Arc<ClientConfig>,
    /// By which a changed file is recognised.
    fingerprint: [u8; 32],
}

impl Tls {
    /// Reads what `settings` name. Without a certificate there is none for the listener, and clients show none; without a CA
    /// clients trust the public ones.
    pub fn load(settings: &TlsConfig) -> Result<Self, TlsError> {
        Self::read(settings, Authorities::Public)
    }

    /// The same for a command that a person types: without a CA it trusts those that the machine trusts.
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

    /// Whether the certificate that is shown is good for that host: a client that calls it there believes that it is us.
    pub fn is_for(&self, host: &str) -> bool {
        let (Some(leaf), Ok(name)) = (self.current().leaf, ServerName::try_from(host)) else { return false };
        EndEntityCert::try_from(&leaf).is_ok_and(|leaf| leaf.verify_is_valid_for_subject_name(&name).is_ok())
    }

    /// A host name in the certificate that is shown, if there is one that is no pattern.
    pub fn host(&self) -> Option<String> {
        let leaf = self.current().leaf?;
        let leaf = EndEntityCert::try_from(&leaf).ok()?;
        leaf.valid_dns_names().find(|name| !name.contains('*')).map(str::to_owned)
    }

    /// What the next connection that comes in takes.
    pub fn server(&self) -> Option<Arc<ServerConfig>> {
        self.current().server
    }

    /// What the next connection that goes out takes.
    pub fn client(&self) -> Arc<ClientConfig> {
        self.current().client
    }

    /// Looks at the files from time to time, and takes up what has changed. What cannot be used is logged and counted, and the old
    /// one stays.
    pub fn start(&self, background: &Background) {
        reload::start(self.clone(), background);
    }

    fn current(&self) -> Current {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What keeps a client from a connection with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The server's certificate is not believed: of an unknown CA, for another host, or out of date.
    Certificate,
    /// Whoever answers does not speak TLS, or not as we do.
    Handshake,
}

impl Obstacle {
    /// The one that is among the causes of an error.
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| {
            // An I/O error shows the cause of what it holds, and not that itself.
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
