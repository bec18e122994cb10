//! What a process prints, as something that can fail: `println!` and `eprintln!` panic when their reader has left, as in
//! `jumak up 2>&1 | tee log` after Ctrl-C, where `tee` is gone first.
//!
//! | what | where | if nobody reads it |
//! |---|---|---|
//! | [`line`]: what a command was asked for | standard output | an error, at which the command ends quietly |
//! | [`note`]: what somebody who watches should know | standard error | it is dropped |
//! | [`Log`]: the log | standard error | it is dropped |

use std::{
    error::Error,
    fmt::{self, Display},
    io::{self, Write},
};

/// Prints a line on standard output, at once.
pub fn line(text: impl Display) -> Result<(), Unprinted> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Unprinted)
}

/// Prints a line on standard error, if anybody reads it.
pub fn note(text: impl Display) {
    // In one write, so that the lines of two threads do not mix. That nobody reads it changes nothing for whoever tells.
    drop(io::stderr().lock().write_all(format!("{text}\n").as_bytes()));
}

/// Waits until nobody reads standard output any more. For ever, if that cannot be known: if it is a file or a terminal.
#[cfg(unix)]
pub async fn unread() {
    use std::os::fd::AsFd;
    use tokio::{io::Interest, net::unix::pipe::Sender};
    let gone = async {
        // Nothing is written through it, so that whether writing may block stays as it is for everybody who has the same pipe. A file
        // cannot be waited for, and never loses its reader.
        let out = Sender::from_owned_fd_unchecked(io::stdout().as_fd().try_clone_to_owned()?)?;
        out.ready(Interest::ERROR).await
    };
    if gone.await.is_err() {
        std::future::pending().await
    }
}

/// Elsewhere it shows at the next line.
#[cfg(not(unix))]
pub async fn unread() {
    std::future::pending().await
}

/// A line that could not be printed: told apart from whatever else may break.
#[derive(Debug)]
pub struct Unprinted(pub io::Error);

impl Unprinted {
    /// The line that nobody is there to read.
    pub fn unread() -> Self {
        Self(io::ErrorKind::BrokenPipe.into())
    }

    /// Whether whoever read has read enough, as in `jumak call --list | head`.
    pub fn is_unread(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Display for Unprinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output cannot be written to")
    }
}

impl Error for Unprinted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Standard error for the log. What it cannot take is dropped: the subscriber would complain of it on standard error, and panic there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        drop(io::stderr().lock().write_all(bytes));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
