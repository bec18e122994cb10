//! Standard output as something that can fail: `println!` panics when its reader has left.

use std::{
    error::Error,
    fmt::{self, Display},
    io::{self, Write},
};

/// Prints a line, at once.
pub fn line(text: impl Display) -> Result<(), Unprinted> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Unprinted)
}

/// A line that could not be printed: told apart from whatever else may break.
#[derive(Debug)]
pub struct Unprinted(pub io::Error);

impl Unprinted {
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
