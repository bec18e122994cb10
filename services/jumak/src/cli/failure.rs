//! How a command that failed says so.

use std::{io, process::ExitCode};

/// Prints the error and its causes on one line.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let reader_left = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    // As in `jumak call --list | head`: whoever read has read enough.
    if error.chain().any(reader_left) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {}", chain(error));
    ExitCode::FAILURE
}

/// The error and its causes; what one of them has said already is left out.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn causes_follow_on_the_same_line_and_nothing_is_said_twice() {
        let error = anyhow!("the disk is full").context("the disk is full").context("the bus cannot be opened");
        assert_eq!(chain(&error), "the bus cannot be opened: the disk is full");
    }
}
