//! Named places at which a test build can be made to die, as in a power cut.
//!
//! `JUMAK_KILL_POINT=after_hold` kills the process the first time that point is reached; `after_hold:3` the third time. In a
//! release build the points are empty.

#[cfg(debug_assertions)]
use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

/// A place where a process may be killed. It is declared by the module that reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KillPoint(&'static str);

impl KillPoint {
    /// The point of that name.
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// The name by which the environment asks for it.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Kills the process here if the environment names this point, as a power cut would: nothing is flushed and nothing is unwound.
    #[inline]
    pub fn reached(self) {
        #[cfg(debug_assertions)]
        {
            static ARMED: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
                let text = std::env::var("JUMAK_KILL_POINT").ok()?;
                let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
                Some((name.to_owned(), times.parse().unwrap_or(1)))
            });
            static SEEN: AtomicU32 = AtomicU32::new(0);
            if let Some((name, times)) = ARMED.as_ref()
                && name == self.name()
                && SEEN.fetch_add(1, Ordering::SeqCst) + 1 == *times
            {
                crate::output::note(format_args!("kill point {name} fired"));
                std::process::abort();
            }
        }
    }
}
