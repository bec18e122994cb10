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
    config::{IssuerConfig, is_trustworthy},
    tls::{TlsError, client_of},
};

/// Why there are no keys.
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
            Some(_) => Err(wrong(url, "holds no key that may sign tokens")),
            None => Err(wrong(url, "is no JWKS document")),
        }
    }

    /// OpenID Connect Discovery 1.0, section 4.
    async fn discover(&self) -> Result<String, SourceError> {
        let issuer = self.config.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let text = self.fetch(&url).await?;
        let Ok(description) = serde_json::from_str::<Description>(&text) else {
            return Err(wrong(url, "describes no OpenID provider"));
        };
        // Section 4.3: or one issuer could have its tokens verified by another one's keys.
        if description.issuer != self.config.issuer {
            return Err(wrong(url, format!("describes the issuer `{}`", description.issuer)));
        }
        match is_trustworthy(&description.jwks_uri) {
            Ok(()) => Ok(description.jwks_uri),
            Err(problem) => Err(wrong(url, format!("has a `jwks_uri` that {problem}"))),
        }
    }

    async fn fetch(&self, url: &str) -> Result<String, SourceError> {
        let uri: Uri = url.parse().map_err(|_| wrong(url.to_owned(), "is no URL"))?;
        fetch(&uri, &self.tls).await.map_err(|source| SourceError::Fetch { url: url.to_owned(), source })
    }
}

fn wrong(url: String, problem: impl Into<String>) -> SourceError {
    SourceError::Document { url, problem: problem.into() }
}
