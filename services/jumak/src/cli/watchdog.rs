//! Exits a process whose stop takes too long.

use std::{io, thread, time::Duration};

use super::output;

/// The time for the rest of a stop, after calls and background work: closing connections, sending telemetry.
const GRACE: Duration = Duration::from_secs(15);

/// Exits the process after the drain deadline and `GRACE`. A thread of its own waits, because the runtime's threads may be the ones that
/// hang.
pub fn start(drain_deadline: Duration) -> io::Result<()> {
    let patience = drain_deadline + GRACE;
    after(patience, move || {
        output::note(format_args!("not stopped after {} s; exiting without waiting any longer", patience.as_secs()));
        std::process::exit(1);
    })
}

#[expect(clippy::disallowed_methods, reason = "the thread does not belong to the runtime")]
fn after(patience: Duration, act: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        thread::sleep(patience);
        act();
    });
    thread.map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn the_watchdog_acts_although_every_thread_of_the_runtime_is_blocked() {
        let (given_up, hears) = channel();
        after(Duration::from_millis(1), move || given_up.send(()).unwrap()).unwrap();
        // Blocks the only thread of this runtime.
        hears.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}
