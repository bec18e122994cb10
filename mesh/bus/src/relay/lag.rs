//! The relay's lag, in time.

use mesh_foundation::{error::Error, telemetry::metrics};
use mesh_store::store::entity::outbox::Column;
use sea_orm::QuerySelect;
use tokio::time::Instant;

use super::{POLL, Relay, unpublished};

impl Relay {
    /// Records how long the oldest event has waited. Not for each batch, because metrics are read less often.
    pub(super) async fn tell_lag(&mut self) -> Result<(), Error> {
        if self.told.is_none_or(|told| told.elapsed() >= POLL) {
            metrics().outbox_lag_seconds.record(self.lag_seconds().await?, &self.labels);
            self.told = Some(Instant::now());
        }
        Ok(())
    }

    /// How long the oldest unpublished event has waited, claimed and deferred events included; 0 if there is none.
    pub(super) async fn lag_seconds(&self) -> Result<f64, Error> {
        let oldest: Option<i64> = unpublished(self.database.read().get_database_backend())
            .select_only()
            .column(Column::OccurTime)
            .limit(1)
            .into_tuple()
            .one(self.database.read())
            .await?;
        let now = self.clock.now().as_microsecond();
        Ok(oldest.map_or(0, |oldest| (now - oldest).max(0)) as f64 / 1e6)
    }
}
