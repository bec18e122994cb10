//! Helpers that the database servers share.

use std::time::Duration;

/// How long a server may take until it accepts connections.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two attempts.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// Whether commits survive a power cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// They do: each commit is synced to the disk.
    #[default]
    Full,
    /// They do not. For the many tests that are not about durability.
    Off,
}

/// The name, if it needs no quotes in SQL.
pub(crate) fn name_is_plain(name: &str) -> anyhow::Result<&str> {
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    anyhow::ensure!(plain, "{name:?} is not a database name: use lowercase letters, digits and _");
    Ok(name)
}
