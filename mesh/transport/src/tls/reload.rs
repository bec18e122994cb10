//! Reloads certificates while the process runs.

use std::sync::PoisonError;

use mesh_foundation::{
    background::{Background, Phase, pause},
    telemetry::metrics,
};
use opentelemetry::KeyValue;

use super::{Tls, TlsError, files::Loaded};

/// Starts the task. It polls, because Kubernetes swaps mounted files by links that no file watcher follows reliably.
pub(super) fn start(tls: Tls, background: &Background) {
    background.run(Phase::Consumers, "tls reload", move |stop| async move {
        let mut failing = false;
        while pause(tls.0.settings.reload(), &stop).await {
            let again = tls.clone();
            // Files are read on a thread that may block.
            let looked = tokio::task::spawn_blocking(move || again.look()).await;
            match looked.unwrap_or(Ok(false)) {
                Ok(changed) => {
                    failing = false;
                    if changed {
                        count("taken");
                        tracing::info!("reloaded the certificates; open connections keep the old ones");
                    }
                }
                Err(error) => {
                    count("refused");
                    // Once, and not at every check: the error stays the same until the files are repaired.
                    if !std::mem::replace(&mut failing, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(
                            error,
                            "failed to reload the certificates; the old ones stay in use, will retry"
                        );
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
    /// Loads the files; returns whether they have changed.
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
