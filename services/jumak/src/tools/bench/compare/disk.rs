//! Measures how often per second the disk can sync a write. Every durable commit waits for that.

use std::{
    io::{Seek as _, SeekFrom, Write as _},
    time::{Duration, Instant},
};

/// Its name in reports.
pub const NAME: &str = "disk";
/// What it measures.
pub const WHAT: &str = "4 KiB written over and synced, one after another, where temporary files are";
/// How long to measure.
const TIME: Duration = Duration::from_secs(1);

/// Syncs per second.
pub async fn measure() -> anyhow::Result<f64> {
    tokio::task::spawn_blocking(|| {
        let (mut file, page) = (tempfile::tempfile()?, [0xab; 4_096]);
        let (begun, mut syncs) = (Instant::now(), 0_u32);
        while begun.elapsed() < TIME {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&page)?;
            file.sync_data()?;
            syncs += 1;
        }
        Ok(f64::from(syncs) / begun.elapsed().as_secs_f64())
    })
    .await?
}
