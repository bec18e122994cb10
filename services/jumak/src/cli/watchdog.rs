//! What ends a process that does not end.

use std::{io, thread, time::Duration};

use super::output;

/// What a stop may take beside the calls and what they have begun: connections that are closed, telemetry that is sent.
const GRACE: Duration = Duration::from_secs(15);

/// From now on the process has its drain deadline, and a little more, to end. A thread of its own watches, because a task could wait
/// for the very threads that hang.
pub fn start(drain_deadline: Duration) -> io::Result<()> {
    let patience = drain_deadline + GRACE;
    after(patience, move || {
        output::note(format_args!("not stopped after {} s; exiting without waiting any longer", patience.as_secs()));
        std::process::exit(1);
    })
}

#[expect(clippy::disallowed_methods, reason = "the thread is not the runtime's")]
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
    async fn a_stop_that_blocks_every_thread_of_the_runtime_is_still_given_up() {
        let (given_up, hears) = channel();
        after(Duration::from_millis(1), move || given_up.send(()).unwrap()).unwrap();
        // Blocks the only thread of this runtime.
        hears.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}
