//! Reads PEM files into the types of rustls.

use std::{fs, path::Path, sync::Arc};

use mesh_foundation::text;
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, ServerConfig,
    client::WantsClientCert,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use super::{Current, H2, TlsError};
use crate::config::TlsConfig;

/// The files' contents at one moment.
pub(super) struct Loaded {
    pair: Option<Pair>,
    /// The authorities of clients' certificates; none accepts every client.
    clients: Option<RootCertStore>,
    /// The authorities of servers' certificates.
    servers: RootCertStore,
    pub fingerprint: [u8; 32],
}

struct Pair {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Loaded {
    /// Reads all files that `settings` name. Without a CA there, servers of these `authorities` are trusted.
    pub(super) fn read(settings: &TlsConfig, authorities: Authorities) -> Result<Self, TlsError> {
        let mut seen = Sha256::new();
        let pair = match (&settings.cert_file, &settings.key_file) {
            (Some(cert_file), Some(key_file)) => Some(Pair {
                chain: certificates(cert_file, &mut seen)?,
                key: PrivateKeyDer::from_pem_slice(&contents(key_file, &mut seen)?)
                    .map_err(|_| TlsError::Nothing { path: key_file.clone(), what: "private key" })?,
            }),
            _ => None,
        };
        let clients = settings.client_ca_file.as_deref().map(|file| roots(file, &mut seen)).transpose()?;
        let servers = match &settings.ca_file {
            Some(file) => roots(file, &mut seen)?,
            None => authorities.roots(),
        };
        Ok(Self { pair, clients, servers, fingerprint: seen.finalize().into() })
    }

    /// The rustls configurations of both ends of a connection.
    pub(super) fn current(self) -> Result<Current, TlsError> {
        let Self { pair, clients, servers, fingerprint } = self;
        let trusting = trusting(servers)?;
        let leaf = pair.as_ref().and_then(|pair| pair.chain.first().cloned());
        let (server, mut client) = match pair {
            Some(Pair { chain, key }) => {
                let client = trusting.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(TlsError::Pair)?;
                (Some(Arc::new(server(chain, key, clients)?)), client)
            }
            None => (None, trusting.with_no_client_auth()),
        };
        client.alpn_protocols = vec![H2.to_vec()];
        Ok(Current { server, leaf, client: Arc::new(client), fingerprint })
    }
}

/// The configuration of a client that shows no certificate and trusts the CA in the PEM file at `ca_file`, or the public ones.
pub(crate) fn client_of(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let servers = ca_file.map_or_else(|| Ok(public_roots()), |file| roots(file, &mut Sha256::new()))?;
    Ok(trusting(servers)?.with_no_client_auth())
}

fn trusting(servers: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    Ok(builder.map_err(TlsError::Pair)?.with_root_certificates(servers))
}

fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<RootCertStore>,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(TlsError::Pair)?;
    let builder = match clients {
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(TlsError::ClientCa)?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![H2.to_vec()];
    Ok(config)
}

/// The authorities that are trusted if no CA is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authorities {
    /// Those that browsers trust.
    Public,
    /// Those that this machine trusts, to which its owner may have added their own.
    Machine,
}

impl Authorities {
    fn roots(self) -> RootCertStore {
        match self {
            Self::Public => public_roots(),
            Self::Machine => machine_roots(),
        }
    }
}

/// The authorities that this machine trusts; may be none.
fn machine_roots() -> RootCertStore {
    let mut store = RootCertStore::empty();
    // An authority that cannot be read does not affect the others.
    let (added, _) = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 { public_roots() } else { store }
}

/// The authorities that browsers trust. They are compiled in, because a container from scratch has none.
fn public_roots() -> RootCertStore {
    RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned())
}

/// Always named explicitly: the process has no default provider, because two libraries could disagree about it.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn roots(file: &Path, seen: &mut Sha256) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(file, seen)? {
        store.add(certificate).map_err(|source| TlsError::Ca { path: file.to_owned(), source })?;
    }
    Ok(store)
}

fn certificates(file: &Path, seen: &mut Sha256) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents(file, seen)?).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| TlsError::Nothing { path: file.to_owned(), what: "certificate" })
}

/// The contents of the file. Its length and its bytes are hashed into `seen`, so that a line that moves from one file to the next
/// changes the hash.
fn contents(file: &Path, seen: &mut Sha256) -> Result<Vec<u8>, TlsError> {
    let mut contents = fs::read(file).map_err(|source| TlsError::File { path: file.to_owned(), source })?;
    seen.update(contents.len().to_be_bytes());
    seen.update(&contents);
    // Before a certificate it would hide that one.
    contents.drain(..contents.len() - text::without_mark(&contents).len());
    Ok(contents)
}
