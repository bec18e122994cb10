//! Prints the error of a command that failed.

use std::process::ExitCode;

use super::output::{self, Unprinted};

/// Prints the error and its causes on one line.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_unread(error) {
        return ExitCode::SUCCESS;
    }
    output::note(format_args!("error: {}", chain(error)));
    ExitCode::FAILURE
}

/// Whether the only failure is that the reader of standard output has gone. A connection that breaks is a broken pipe too, but counts as
/// a failure.
fn is_unread(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<Unprinted>().is_some_and(Unprinted::is_unread))
}

/// The error and its causes. A cause whose text is already there is left out.
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
    use std::io;

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn only_standard_output_may_be_left_unread() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_unread(&anyhow::Error::new(Unprinted(broken())).context("the list")));
        assert!(!is_unread(&anyhow::Error::new(broken()).context("the call broke off")));
        assert!(!is_unread(&anyhow::Error::new(Unprinted(io::ErrorKind::StorageFull.into()))));
    }

    #[test]
    fn causes_follow_on_the_same_line_and_no_text_appears_twice() {
        let error = anyhow!("the disk is full").context("the disk is full").context("the bus cannot be opened");
        assert_eq!(chain(&error), "the bus cannot be opened: the disk is full");
    }
}
