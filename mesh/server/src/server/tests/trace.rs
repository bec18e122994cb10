//! A process that exports nothing, among others that may.

use super::*;

const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The trace that the handler finds itself in, of a call that says it is part of one.
async fn handled_in(bench: &Bench, token: &str, sent: &str) -> String {
    let mut request = request("Do", token, framed(&message(SAY_TRACE)));
    request.headers_mut().insert("traceparent", sent.parse().unwrap());
    bench.send(request).await.text()
}

#[tokio::test]
async fn a_contexts_trace_is_passed_on_and_a_strangers_is_not() {
    let bench = bench();
    let context = bench.reservation.for_callee("test").unwrap();
    assert_eq!(handled_in(&bench, &context, SENT).await, SENT);
    assert_eq!(handled_in(&bench, &context, "4111111111111111").await, NO_TRACE);
    assert_eq!(handled_in(&bench, &bench.user(&[Role::Guest]), SENT).await, NO_TRACE);
    assert_eq!(mesh_foundation::trace::traceparent(), None, "a call leaves nothing behind");
}
