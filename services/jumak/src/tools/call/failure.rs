//! Prints a refusal for a person.

use std::fmt::Write;

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The code, the reason and the message on the first line. After that, each on its own line: the fields at fault, the metadata, the delay
/// before a retry, and the correlation id, by which the server's log can be searched.
pub fn explain(status: &Status) -> String {
    let details = status.get_error_details();
    let reason = details.error_info().map_or_else(String::new, |info| format!(" {}", info.reason));
    let mut text = format!("error: {}{reason}: {}", code(status.code()), status.message());
    let mut line = |label: &str, value: &str| {
        let _never_fails = write!(text, "\n  {label}: {value}");
    };
    for violation in details.bad_request().map_or(&[][..], |bad| &bad.field_violations) {
        line(&violation.field, &violation.description);
    }
    if let Some(info) = details.error_info() {
        // A hash map has no stable order.
        let mut metadata: Vec<_> = info.metadata.iter().collect();
        metadata.sort();
        for (key, value) in metadata.into_iter().filter(|(_, value)| !value.is_empty()) {
            line(key, value);
        }
    }
    if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
        line("try again in", &format!("{:.1} s", delay.as_secs_f64()));
    }
    if let Some(id) = status.metadata().get("x-correlation-id").and_then(|id| id.to_str().ok()) {
        line("correlation id", id);
    }
    text
}

/// The code as gRPC spells it: `FAILED_PRECONDITION`.
fn code(code: Code) -> String {
    let mut name = String::new();
    for (at, letter) in format!("{code:?}").char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mesh::{Reason, Refusal};

    use super::*;

    #[test]
    fn a_refusal_is_printed_with_all_its_details() {
        let mut refusal = Refusal::new(Reason::INVALID_FIELDS, "2 fields are wrong")
            .with("b", 2)
            .with("a", 1)
            .retry_after(Duration::from_millis(1_500));
        refusal.violations.push(("room.capacity".to_owned(), "must be 1 to 20".to_owned()));
        let text = explain(&refusal.into());
        assert_eq!(
            text,
            "error: INVALID_ARGUMENT INVALID_FIELDS: 2 fields are wrong\n  room.capacity: must be 1 to 20\n  a: 1\n  b: 2\n  \
             try again in: 1.5 s"
        );
    }

    #[test]
    fn a_status_without_details_is_printed_too() {
        assert_eq!(explain(&Status::deadline_exceeded("too late")), "error: DEADLINE_EXCEEDED: too late");
    }
}
