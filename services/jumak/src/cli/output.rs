//! Standard output as something that can fail: `println!` panics when its reader has left.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Prints a line, at once.
pub fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
