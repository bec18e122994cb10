//! Deadlines of calls.

use std::time::Duration;

use http::HeaderMap;
use mesh_foundation::error::{Reason, Refusal};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    body::cut,
    layer::{Around, Call, Reply, Rest, refuse},
};

/// The deadline of a call that names none.
const DEFAULT: Duration = Duration::from_secs(10);

/// The longest deadline of a unary call: a caller that asks for more has usually given up by then.
const MAX: Duration = Duration::from_secs(30);

/// How long a stream lasts. Its reader resumes it from its last position; a reader that disappeared does not keep it for ever.
const MAX_STREAM: Duration = Duration::from_secs(3_600);

/// The call is answered this long before the caller's deadline, or a tenth of the caller's time if that is less: the answer has to
/// arrive before the caller's timer fires, and before tonic's, which answers CANCELLED without a reason.
const HEAD_START: Duration = Duration::from_millis(100);

/// Gives a call up at its deadline. The handler's future is dropped; work that must not stop half-way runs in its own task.
#[derive(Clone)]
pub(super) struct Deadline;

impl Around for Deadline {
    async fn around(&self, call: Call, rest: &impl Rest) -> Reply {
        let (deadline, streams) = (call.deadline, call.method.streams);
        // A timeout polls its future once before it checks the time; a call that is too late must not begin.
        if deadline <= Instant::now() {
            return refuse(exceeded());
        }
        match timeout_at(deadline, rest.answer(call)).await {
            Ok(reply) if streams => cut(reply, async move {
                sleep_until(deadline).await;
                over().into()
            }),
            Ok(reply) => reply,
            Err(_) => refuse(exceeded()),
        }
    }
}

fn exceeded() -> Refusal {
    Refusal::new(Reason::DEADLINE_EXCEEDED, "the call did not finish within its deadline").hint(
        "work that has begun settles by itself; send the same request with the same request id to learn its outcome",
    )
}

fn over() -> Refusal {
    Refusal::new(Reason::DEADLINE_EXCEEDED, "the stream has reached its time limit")
        .hint("resume it from its last position")
}

/// The deadline of a call that arrived at `arrived`: 10 s, or as the caller says, but at most 30 s. For a stream as the caller says, at
/// most an hour.
pub(super) fn of(headers: &HeaderMap, streams: bool, arrived: Instant) -> Instant {
    let asked = grpc_timeout(headers).map(|asked| asked - HEAD_START.min(asked / 10));
    let lasts = match (asked, streams) {
        (Some(asked), true) => asked.min(MAX_STREAM),
        (None, true) => MAX_STREAM,
        (Some(asked), false) => asked.min(MAX),
        (None, false) => DEFAULT,
    };
    arrived + lasts
}

/// `grpc-timeout`: at most eight digits and a unit. One that cannot be read counts as none.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3_600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasts(timeout: Option<&str>, streams: bool) -> Duration {
        let mut headers = HeaderMap::new();
        if let Some(timeout) = timeout {
            headers.insert("grpc-timeout", timeout.parse().unwrap());
        }
        let now = Instant::now();
        of(&headers, streams, now) - now
    }

    #[test]
    fn a_caller_that_names_no_deadline_gets_ten_seconds() {
        assert_eq!(lasts(None, false), DEFAULT);
        for unreadable in ["", "S", "1", "1x", "-1S", "123456789S", "1 S"] {
            assert_eq!(lasts(Some(unreadable), false), DEFAULT, "{unreadable}");
        }
    }

    #[test]
    fn a_caller_gets_what_they_ask_for_up_to_thirty_seconds() {
        for (asked, got_ms) in
            [("2S", 1_900), ("2000m", 1_900), ("50000u", 45), ("0S", 0), ("1M", 30_000), ("99999999H", 30_000)]
        {
            assert_eq!(lasts(Some(asked), false), Duration::from_millis(got_ms), "{asked}");
        }
    }

    #[test]
    fn a_stream_ends_when_its_caller_says_or_after_an_hour() {
        assert_eq!(lasts(None, true), MAX_STREAM);
        assert_eq!(lasts(Some("1M"), true), Duration::from_secs(60) - HEAD_START);
        assert_eq!(lasts(Some("99999999H"), true), MAX_STREAM);
    }
}
