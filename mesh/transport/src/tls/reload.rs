//! New certificates, taken up while the process runs.

use std::sync::PoisonError;

use mesh_foundation::{
    background::{Background, Phase, pause},
    telemetry::metrics,
};
use opentelemetry::KeyValue;

use super::{Tls, TlsError, files::Loaded};

/// Starts to look. Polling, because files behind a Kubernetes mount are swapped by links that no watch follows reliably.
pub(super) fn start(tls: Tls, background: &Background) {
    background.run(Phase::Consumers, "tls reload", move |stop| async move {
        let mut failing = false;
        while pause(tls.0.settings.reload(), &stop).await {
            let again = tls.clone();
            // Files are read on a thread that may wait for them.
            let looked = tokio::task::spawn_blocking(move || again.look()).await;
            match looked.unwrap_or(Ok(false)) {
                Ok(changed) => {
                    failing = false;
                    if changed {
                        count("taken");
                        tracing::info!("new certificates are in use; connections that are open keep the old ones");
                    }
                }
                Err(error) => {
                    count("refused");
                    // Once, and not at every look: it says the same until somebody mends the files.
                    if !std::mem::replace(&mut failing, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "the certificates' files cannot be used; the old ones stay in use");
                    }
                }
            }
        }
    });
}

fn count(outcome: &'static str) {
    metrics().tls_reloads.add(1, &[KeyValue::new("outcome", outcome)]);
}

impl Tls {
    /// Takes up what the files hold; tells whether that is new.
    pub fn look(&self) -> Result<bool, TlsError> {
        let loaded = Loaded::read(&self.0.settings, self.0.authorities)?;
        if loaded.fingerprint == self.current().fingerprint {
            return Ok(false);
        }
        let fresh = loaded.current()?;
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(true)
    }
}
