//! Prints without panicking: `println!` and `eprintln!` panic when their reader has gone, as in `jumak up 2>&1 | tee log` after Ctrl-C,
//! where `tee` ends first.
//!
//! | what | where | if the reader has gone |
//! |---|---|---|
//! | [`line`]: the result of a command | standard output | an error, at which the command ends quietly |
//! | [`note`]: a note for the person who watches | standard error | it is dropped |
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

/// Prints a line on standard error, if it has a reader.
pub fn note(text: impl Display) {
    // In one write, so that the lines of two threads do not mix. An error is ignored: a missing reader changes nothing.
    drop(io::stderr().lock().write_all(format!("{text}\n").as_bytes()));
}

/// Waits until the reader of standard output has gone; for ever if that cannot be detected (a file or a terminal).
#[cfg(unix)]
pub async fn unread() {
    use std::os::fd::AsFd;
    use tokio::{io::Interest, net::unix::pipe::Sender};
    let gone = async {
        // Only waited on and never written to, so that the blocking mode stays unchanged for other users of the pipe. A file cannot be
        // waited on, and never loses its reader.
        let out = Sender::from_owned_fd_unchecked(io::stdout().as_fd().try_clone_to_owned()?)?;
        out.ready(Interest::ERROR).await
    };
    if gone.await.is_err() {
        std::future::pending().await
    }
}

/// On other systems the next line fails instead.
#[cfg(not(unix))]
pub async fn unread() {
    std::future::pending().await
}

/// A line that could not be printed, as its own type, so that a command can tell it from other errors.
#[derive(Debug)]
pub struct Unprinted(pub io::Error);

impl Unprinted {
    /// The I/O error.
    pub fn unread() -> Self {
        Self(io::ErrorKind::BrokenPipe.into())
    }

    /// Whether the reader has gone, as in `jumak call --list | head`.
    pub fn is_unread(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Display for Unprinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to write to standard output")
    }
}

impl Error for Unprinted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Standard error for the log. Failed writes are dropped: the subscriber would report them on standard error, and panic there.
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
