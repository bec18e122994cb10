//! Where an issuer's keys are: at a URL that is configured, or where its own description says.

use std::sync::Arc;

use http::Uri;
use serde::Deserialize;
use tokio_rustls::rustls::ClientConfig;

use super::{
    fetch::{FetchError, fetch},
    keys::KeySet,
};
use crate::{
    config::{IssuerConfig, may_publish_at},
    net::printable,
    tls::{TlsError, client_of},
};

/// Why there are no keys. The URLs in it are [`printable`], because a query may hold a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    /// A document could not be had.
    #[error("failed to fetch {url}")]
    Fetch {
        url: String,
        #[source]
        source: FetchError,
    },
    /// The document is not of the expected kind.
    #[error("{url} {problem}")]
    Document { url: String, problem: String },
}

/// Where an issuer's keys are.
pub(super) struct Source {
    config: IssuerConfig,
    tls: Arc<ClientConfig>,
}

/// The fields that are read from a provider's description of itself.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    pub(super) fn new(config: &IssuerConfig) -> Result<Self, TlsError> {
        Ok(Self { tls: Arc::new(client_of(config.ca_file.as_deref())?), config: config.clone() })
    }

    /// The keys, as they are published now. Not bounded in time.
    pub(super) async fn keys(&self) -> Result<KeySet, SourceError> {
        let url = match &self.config.jwks_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let text = self.fetch(&url).await?;
        match KeySet::read(&text, &self.config) {
            Some(keys) if !keys.is_empty() => Ok(keys),
            // An issuer without keys is misconfigured: no issuer revokes all of them at once.
            Some(_) => Err(wrong(&url, "holds no key that may sign tokens")),
            None => Err(wrong(&url, "is not a JWKS document")),
        }
    }

    /// OpenID Connect Discovery 1.0, section 4.
    async fn discover(&self) -> Result<String, SourceError> {
        let issuer = self.config.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let text = self.fetch(&url).await?;
        self.described(&url, &text)
    }

    /// The `jwks_uri` in the description `text`, which was fetched from `url`.
    fn described(&self, url: &str, text: &str) -> Result<String, SourceError> {
        let Ok(description) = serde_json::from_str::<Description>(text) else {
            return Err(wrong(url, "does not describe an OpenID provider"));
        };
        // Section 4.3: otherwise one issuer could have its tokens verified with another issuer's keys.
        if description.issuer != self.config.issuer {
            return Err(wrong(url, format!("describes the issuer `{}`", printable(&description.issuer))));
        }
        match may_publish_at(&self.config.issuer, &description.jwks_uri) {
            Ok(()) => Ok(description.jwks_uri),
            Err(problem) => Err(wrong(url, format!("has a `jwks_uri` that {problem}"))),
        }
    }

    async fn fetch(&self, url: &str) -> Result<String, SourceError> {
        let uri: Uri = url.parse().map_err(|_| wrong(url, "is not a URL"))?;
        fetch(&uri, &self.tls).await.map_err(|source| SourceError::Fetch { url: printable(url), source })
    }
}

fn wrong(url: &str, problem: impl Into<String>) -> SourceError {
    SourceError::Document { url: printable(url), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(issuer: &str) -> Source {
        Source::new(&IssuerConfig { issuer: issuer.to_owned(), ..IssuerConfig::default() }).unwrap()
    }

    #[test]
    fn a_remote_issuer_may_not_name_a_loopback_http_jwks_uri() {
        for (issuer, jwks_uri, believed) in [
            ("https://id.example", "https://id.example/keys", true),
            ("https://id.example", "http://127.0.0.1:9/keys", false),
            ("http://127.0.0.1:8", "http://127.0.0.1:9/keys", true),
        ] {
            let text = json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string();
            assert_eq!(source(issuer).described("https://x", &text).is_ok(), believed, "{issuer} {jwks_uri}");
        }
    }

    #[tokio::test]
    async fn a_query_is_not_logged() {
        let source = source("https://id.example");
        for url in ["ftp://id.example/keys?token=s3cret", "http://id example/keys?token=s3cret"] {
            let error = source.fetch(url).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
        let text = json!({ "issuer": "https://id.example", "jwks_uri": "http://x/keys?token=s3cret" }).to_string();
        let error = source.described("https://id.example/d?token=s3cret", &text).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
