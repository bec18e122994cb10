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

/// Why there are no keys. The URLs in it are [`printable`]: a query may hold what lets one in.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    /// A document could not be had.
    #[error("{url} could not be fetched")]
    Fetch {
        url: String,
        #[source]
        source: FetchError,
    },
    /// It is not what should be there.
    #[error("{url} {problem}")]
    Document { url: String, problem: String },
}

/// Where an issuer's keys are.
pub(super) struct Source {
    config: IssuerConfig,
    tls: Arc<ClientConfig>,
}

/// What is read of a provider's description of itself.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    pub fn new(config: &IssuerConfig) -> Result<Self, TlsError> {
        Ok(Self { tls: Arc::new(client_of(config.ca_file.as_deref())?), config: config.clone() })
    }

    /// The keys, as they are published now. Not bounded in time.
    pub async fn keys(&self) -> Result<KeySet, SourceError> {
        let url = match &self.config.jwks_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let text = self.fetch(&url).await?;
        match KeySet::read(&text, &self.config) {
            Some(keys) if !keys.is_empty() => Ok(keys),
            // An issuer without keys has been misconfigured: nobody revokes all of them at once.
            Some(_) => Err(wrong(&url, "holds no key that may sign tokens")),
            None => Err(wrong(&url, "is no JWKS document")),
        }
    }

    /// OpenID Connect Discovery 1.0, section 4.
    async fn discover(&self) -> Result<String, SourceError> {
        let issuer = self.config.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let text = self.fetch(&url).await?;
        self.described(&url, &text)
    }

    /// Where the keys are by the description `text`, which was found at `url`.
    fn described(&self, url: &str, text: &str) -> Result<String, SourceError> {
        let Ok(description) = serde_json::from_str::<Description>(text) else {
            return Err(wrong(url, "describes no OpenID provider"));
        };
        // Section 4.3: or one issuer could have its tokens verified by another one's keys.
        if description.issuer != self.config.issuer {
            return Err(wrong(url, format!("describes the issuer `{}`", printable(&description.issuer))));
        }
        match may_publish_at(&self.config.issuer, &description.jwks_uri) {
            Ok(()) => Ok(description.jwks_uri),
            Err(problem) => Err(wrong(url, format!("has a `jwks_uri` that {problem}"))),
        }
    }

    async fn fetch(&self, url: &str) -> Result<String, SourceError> {
        let uri: Uri = url.parse().map_err(|_| wrong(url, "is no URL"))?;
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
    fn an_issuer_elsewhere_is_not_believed_that_its_keys_are_on_this_machine_in_clear() {
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
