//! What the database servers have in common.

use std::time::Duration;

/// How long a server may take until it lets us in.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// Whether what is committed survives a power cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It does: each commit waits for the disk.
    #[default]
    Full,
    /// It does not: for tests that are about anything else, and many.
    Off,
}

/// The name, if it can stand in a statement as it is.
pub(crate) fn name_is_plain(name: &str) -> anyhow::Result<&str> {
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    anyhow::ensure!(plain, "{name:?} is no name for a database: it has letters in lower case, digits and _");
    Ok(name)
}
