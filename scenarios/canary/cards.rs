//! Card numbers, in every text of every request.

use prost_reflect::{ReflectMessage, prost::Message};
use tonic::Code;

use crate::support::{refusal, rpcs::RPCS, scene::Scene, wire};

/// Numbers that pass for cards, as people write them, each with a part that must not come back.
const CARDS: &[(&str, &str)] = &[
    ("4111111111111111", "4111"),
    ("4111 1111 1111 1111", "1111"),
    ("5555-5555-5555-4444", "5555"),
    ("3782 822463 10005", "822463"),
    ("please charge 6011000990139424, thanks", "990139424"),
];

/// Identifiers, by hand: one in ten of those that are all digits passes for a card's number, so they are not searched.
const IDENTIFIERS: &[&str] = &[
    "account",
    "case",
    "charge_id",
    "etag",
    "guest",
    "host",
    "name",
    "page_token",
    "parent",
    "payee",
    "payer",
    "payment",
    "payment_id",
    "position",
    "refund_id",
    "request_id",
    "room",
    "counterparty",
];

/// Those of them in which a person could write a card's number.
const NAMES: &[&str] = &["name", "parent", "room", "case", "payment", "payment_id", "page_token"];

/// A telephone number has 15 digits at most, and so have these.
const MAX_PHONE_DIGITS: usize = 15;

fn is_searched(field: &str, card: &str) -> bool {
    let digits = card.chars().filter(char::is_ascii_digit).count();
    !IDENTIFIERS.contains(&field) && (field != "phone" || digits > MAX_PHONE_DIGITS)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_is_refused_in_every_text_of_every_request_and_not_repeated() {
    let scene = Scene::set().await;
    let before = scene.guest.reservation(&scene.stay.name).await.expect("the stay");
    let mut tried = 0;
    for rpc in RPCS {
        let (person, good) = (scene.by(rpc), wire::request(rpc.name, &scene.request(rpc)));
        for way in wire::texts(&good.descriptor()) {
            let name = way.last().expect("a way has an end").name().to_owned();
            for (card, part) in CARDS.iter().filter(|(card, _)| is_searched(&name, card)) {
                let mut request = good.clone();
                let field = wire::put_text(&mut request, &way, card);
                let at = format!("{} with `{card}` in {field}", rpc.name);
                let status = person.sends(rpc.name, request.encode_to_vec()).await.expect_err(&at);
                let refusal = refusal(&status);
                assert_eq!(status.code(), Code::InvalidArgument, "{at}: {status:?}");
                assert_eq!(refusal.reason.as_str(), "CARD_NUMBER_REFUSED", "{at}: {status:?}");
                let paths: Vec<&str> = refusal.violations.iter().map(|(path, _)| path.as_str()).collect();
                assert_eq!(paths, [&field], "{at}");
                assert_eq!(refusal.metadata["field"], field, "{at}");
                // The headers have an id in them, which may hold any four digits.
                let details = String::from_utf8_lossy(status.details());
                let repeated = status.message().contains(part) || details.contains(part);
                assert!(!repeated, "{at} is repeated: {status:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "only {tried} were tried");
    assert_eq!(scene.guest.reservation(&scene.stay.name).await.expect("the stay"), before);
    let (charges, refunds) = scene.inn.provider_books().await;
    assert_eq!((charges.len(), refunds.len()), (1, 0), "the provider heard of none of them");
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identifiers_are_not_searched_and_no_name_that_looks_like_a_card_is_repeated() {
    let scene = Scene::set().await;
    let mut refused = 0;
    for rpc in RPCS {
        let (person, good) = (scene.by(rpc), wire::request(rpc.name, &scene.request(rpc)));
        for way in wire::texts(&good.descriptor()) {
            let field = way.last().expect("a way has an end");
            if !IDENTIFIERS.contains(&field.name()) {
                continue;
            }
            for (card, part) in CARDS {
                let mut request = good.clone();
                let at = format!("{} with `{card}` in {}", rpc.name, wire::put_text(&mut request, &way, card));
                // What the server alone sets is not looked at in a request.
                let Err(status) = person.sends(rpc.name, request.encode_to_vec()).await else { continue };
                let details = String::from_utf8_lossy(status.details());
                let repeated = status.message().contains(part) || details.contains(part);
                assert!(!repeated || !NAMES.contains(&field.name()), "{at} is repeated: {status:?}");
                assert_ne!(refusal(&status).reason.as_str(), "CARD_NUMBER_REFUSED", "{at}: it is an identifier");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "only {refused} were refused");
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_no_card_passes() {
    let scene = Scene::set().await;
    let create = crate::support::rpcs::rpc("CreateReservation");
    for (phone, note) in [
        ("+82 10-1234-5678", "arriving 2027-05-01 - 2027-05-03"),
        ("010-1234-5678", "our booking 1234 5678 at the other house"),
        ("02 123 4567", "4111111111111112 is one off"),
        ("5511900000002", "a card's number, had it not been a telephone's"),
    ] {
        let mut request = scene.request(create);
        request["reservation"]["guest_details"] = serde_json::json!({"phone": phone, "note": note});
        scene.guest.asks(create.name, &request).await.unwrap_or_else(|status| panic!("{phone}, {note}: {status:?}"));
    }
    scene.inn.close().await;
}
