//! Bytes that are no message.

use prost_reflect::{DynamicMessage, prost::Message};
use tonic::Code;

use super::{books, faults, is_answer};
use crate::support::{refusal, rpcs::RPCS, scene::Scene, wire};

/// Bytes of which nobody can make a request, and what is wrong with them.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let groups = |depth: usize| [[0xf3, 0x7f].repeat(depth), [0xf4, 0x7f].repeat(depth)].concat();
    vec![
        ("a text that ends too soon", vec![0x0a, 0x7f]),
        ("a text of no length", vec![0x0a]),
        ("a text longer than any message", vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("a text longer than anything", vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ("a number that does not end", vec![0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ("a number that is cut off", vec![0x08, 0x80]),
        ("the field zero", vec![0x00, 0x01]),
        ("a field of a kind that there is not", vec![0x0f, 0x01]),
        ("the end of a group that never began", vec![0x0c]),
        ("a group that never ends", vec![0xf3, 0x7f]),
        ("groups in groups in groups", groups(5_000)),
        ("a fixed number that is cut off", vec![0xf9, 0x7f, 0x01, 0x02]),
        ("a key that does not end", vec![0xff; 16]),
        ("JSON", br#"{"name": "rooms/1"}"#.to_vec()),
        ("a web page", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let scene = Scene::set().await;
    let before = books::count(&scene).await;
    for rpc in RPCS {
        let person = scene.by(rpc);
        for (what, bytes) in broken() {
            let at = format!("{} with {what}", rpc.name);
            let status = person.sends(rpc.name, bytes).await.expect_err(&at);
            assert!(faults(&status).is_some(), "{at}: {status:?}");
            let request = wire::method(rpc.name).input();
            assert!(status.message().contains(request.name()), "{at} does not say what was wanted: {status:?}");
        }
        for text in [&b"\xff\xfe"[..], b"\xc3\x28", b"\xed\xa0\x80", b"rooms/\xf0\x28"] {
            // The first field is a text in most of them, and never a number.
            let bytes = [&[0x0a, u8::try_from(text.len()).expect("a short text")], text].concat();
            let at = format!("{} with {text:?}", rpc.name);
            let answer = person.sends(rpc.name, bytes).await;
            is_answer(&at, &answer);
            assert_eq!(answer.expect_err(&at).code(), Code::InvalidArgument, "{at}");
        }
    }
    assert_eq!(books::count(&scene).await, before);
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_nobody_knows_yet_are_no_fault() {
    let scene = Scene::set().await;
    for rpc in RPCS.iter().filter(|rpc| rpc.bare().starts_with("Get") || rpc.bare().starts_with("List")) {
        let mut bytes = wire::request(rpc.name, &scene.request(rpc)).encode_to_vec();
        // A number, a text and a group with the number 2000, from a client of a later version.
        bytes.extend([0x80, 0x7d, 0x01, 0x82, 0x7d, 0x02, b'h', b'i', 0x83, 0x7d, 0x08, 0x01, 0x84, 0x7d]);
        match scene.by(rpc).sends(rpc.name, bytes).await {
            Ok(answer) => drop(DynamicMessage::decode(wire::method(rpc.name).output(), answer).expect("an answer")),
            Err(status) => assert_eq!(status.code(), Code::NotFound, "{}: {status:?}", rpc.name),
        }
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_five_mebibytes_is_refused_and_says_how_many_are_taken() {
    let scene = Scene::set().await;
    for rpc in RPCS {
        // One long text, in a field that nobody knows: it would be a good request if it were not so large.
        let mut bytes = wire::request(rpc.name, &scene.request(rpc)).encode_to_vec();
        bytes.extend([0x82, 0x7d, 0x80, 0x80, 0xc0, 0x02]);
        bytes.resize(bytes.len() + 5 * 1024 * 1024, b'x');
        let status = scene.by(rpc).sends(rpc.name, bytes).await.expect_err(rpc.name);
        let refusal = refusal(&status);
        assert_eq!(refusal.reason.as_str(), "INVALID_FIELDS", "{}: {status:?}", rpc.name);
        assert!(refusal.message.contains("larger than 262144 bytes"), "{}: {status:?}", rpc.name);
    }
    scene.guest.reservation(&scene.stay.name).await.expect("the server lives on");
    scene.inn.close().await;
}
