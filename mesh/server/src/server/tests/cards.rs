//! What the stack lets in. That a card number is refused in every text of every request stands in `scenarios/canary/cards.rs`.

use mesh_foundation::error::Reason;

use super::*;

#[tokio::test]
async fn a_request_without_a_card_number_passes_as_it_is() {
    let bench = bench();
    for text in ["", "a booking for two", "rooms/aaaa4111-1111-7111-8113-aaaaaaaaaaaa", "+82 10-1234-5678"] {
        assert_eq!(bench.call("Do", text).await.text(), text);
    }
}

#[tokio::test]
async fn a_request_that_is_no_message_is_the_callers_fault() {
    let bench = bench();
    let token = bench.user(&[Role::Guest]);
    let odd_flag = { [&[2][..], &framed(&message("x"))[1..]].concat() };
    let two = [framed(&message("x")), framed(&message("y"))].concat();
    let broken = framed(&[0x0a, 0x7f]);
    let broken_with_digits = framed(b"\x0a\x7f4242424242424242");
    for body in [Bytes::new(), odd_flag.into(), two.into(), broken, broken_with_digits] {
        let answer = bench.send(request("Do", &token, body)).await;
        assert_eq!(answer.refusal().reason, Reason::INVALID_FIELDS, "{answer:?}");
    }
}

#[tokio::test]
async fn a_compressed_request_is_told_that_plain_ones_are_taken() {
    let bench = bench();
    let token = bench.user(&[Role::Guest]);
    let compressed = [&[1][..], &framed(&message("x"))[1..]].concat();
    let by_flag = request("Do", &token, compressed.clone().into());
    let mut by_both = request("Do", &token, compressed.into());
    by_both.headers_mut().insert("grpc-encoding", "gzip".parse().unwrap());
    let mut by_header = bench.request("Do", "x");
    by_header.headers_mut().insert("grpc-encoding", "z".repeat(9_000).parse().unwrap());
    for request in [by_flag, by_both, by_header] {
        let answer = bench.send(request).await;
        assert_eq!(answer.status.code(), Code::Unimplemented, "{answer:?}");
        assert_eq!(answer.headers["grpc-accept-encoding"], "identity");
        assert!(answer.status.message().len() < 300, "{answer:?}");
    }
    let mut plain = bench.request("Do", "x");
    plain.headers_mut().insert("grpc-encoding", "identity".parse().unwrap());
    assert_eq!(bench.send(plain).await.text(), "x");
}

#[tokio::test]
async fn a_request_is_bounded() {
    let bench = bench_with(LimitsConfig { max_request_bytes: 1_024, ..LimitsConfig::default() });
    assert_eq!(bench.call("Do", &"x".repeat(1_000)).await.text().len(), 1_000);
    let answer = bench.call("Do", &"x".repeat(1_100)).await;
    assert_eq!(answer.refusal().reason, Reason::INVALID_FIELDS);
    assert!(answer.status.message().contains("larger than 1024 bytes"));
}
