//! Tokens of people.

use std::time::Duration;

use mesh::{
    Role,
    auth::{keys::SigningKey, token::Issuer},
};
use serde_json::{Value, json};
use tonic::Code;

use super::{
    forge::{Key, a_person, but, now, unsigned, with_hmac},
    knocks,
};
use crate::support::{Inn, Person, reason, rpcs::rpc, scene::Scene, wire};

/// Beyond the clocks' difference that is allowed for, and far from it.
const LONG: i64 = 3_600;

type Bad = (&'static str, String);

/// The token is refused for that reason, and the answer repeats nothing of it.
async fn is_refused(inn: &Inn, bad: &[Bad], why: &str) {
    for (what, token) in bad {
        let status = knocks(&inn.bearer_of(token)).await.expect_err(what);
        assert_eq!((status.code(), reason(&status)), (Code::Unauthenticated, why), "{what}: {status:?}");
        let parts = token.split('.').filter(|part| part.len() > 8);
        for part in parts {
            assert!(!status.message().contains(part), "{what}: the answer repeats the token");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_made_by_hand_as_it_ought_to_be_opens() {
    let inn = Inn::open().await;
    let issuer = Key::of(&inn, "issuer");
    let good = a_person(&["guest"]);
    for (what, claims) in [
        ("as it is", good.clone()),
        ("with several audiences", but(good.clone(), "aud", json!(["elsewhere", "jumak"]))),
        ("with a claim that nobody knows", but(good.clone(), "colour", "blue")),
        ("with a role that nobody knows", but(good.clone(), "roles", json!(["emperor"]))),
        ("without roles", but(good.clone(), "roles", Value::Null)),
        ("good since a while", but(good, "nbf", now() - LONG)),
    ] {
        knocks(&inn.bearer_of(&issuer.signs(&claims))).await.unwrap_or_else(|status| panic!("{what}: {status:?}"));
    }
    inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_token_opens_nothing() {
    let inn = Inn::open().await;
    let (issuer, context, stranger) = (Key::of(&inn, "issuer"), Key::of(&inn, "reservation"), Key::unknown());
    let claims = a_person(&["admin"]);
    let good = issuer.signs(&claims);
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let harmless = issuer.signs(&a_person(&["guest"]));
    let (_, harmless_signature) = harmless.rsplit_once('.').expect("three parts");
    let flipped: String = signature.chars().rev().collect();
    let signed_by = |key: &Key| key.signs(&claims);
    let elsewhere = Issuer::new("jumak", "jumak", SigningKey::generate());
    let other_installation = elsewhere.mint_user("alice", &[Role::Admin], Duration::from_secs(60));
    let bad = [
        ("its signature is another text", format!("{message}.{flipped}")),
        ("its signature is cut short", format!("{message}.{}", &signature[..signature.len() - 4])),
        ("its signature is empty", format!("{message}.")),
        ("it has no signature", message.to_owned()),
        ("its signature is that of another token", format!("{message}.{harmless_signature}")),
        ("it is signed by an unknown key", signed_by(&stranger)),
        ("it is signed by an unknown key that poses as the issuer's", signed_by(&stranger.clone().posing_as(&issuer))),
        ("it is signed by a context's key", signed_by(&context)),
        ("it is signed by a context's key that poses as the issuer's", signed_by(&context.posing_as(&issuer))),
        ("it is that of another installation", other_installation.expect("a token")),
    ];
    is_refused(&inn, &bad, "TOKEN_INVALID").await;
    knocks(&inn.bearer_of(&good)).await.expect("the one that they were made from");
    inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_says_of_its_own_algorithm_and_key_is_not_believed() {
    let inn = Inn::open().await;
    let (issuer, stranger) = (Key::of(&inn, "issuer"), Key::unknown());
    let claims = a_person(&["admin"]);
    let text = claims.to_string();
    let header = |alg: &str| but(issuer.header(), "alg", alg);
    let mut bad: Vec<Bad> = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        bad.push(("it wants no algorithm", unsigned(&header(alg), &claims)));
        bad.push(("it wants no algorithm and is signed", issuer.signs_under(&header(alg), &text)));
    }
    for alg in ["HS256", "RS256", "ES256", "PS256", "eddsa", "Ed448"] {
        bad.push(("it wants another algorithm", issuer.signs_under(&header(alg), &text)));
    }
    // The classic one: the public key, which everybody has, as the secret of a MAC.
    for secret in issuer.public_forms() {
        bad.push(("its MAC is made with the public key", with_hmac(&header("HS256"), &claims, &secret)));
    }
    bad.push(("its MAC is made with the key's id", with_hmac(&header("HS256"), &claims, issuer.kid.as_bytes())));
    bad.push(("its MAC is made with nothing", with_hmac(&header("HS256"), &claims, b"")));
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jku", json!("https://keys.example/jwks.json")),
        ("x5u", json!("https://keys.example/chain.pem")),
    ] {
        let brings_its_key = but(stranger.header(), name, value.clone());
        bad.push(("it brings its own key", stranger.signs_under(&brings_its_key, &text)));
        let under_the_issuers = but(brings_its_key, "kid", issuer.kid.clone());
        bad.push(("it brings its own key under the issuer's id", stranger.signs_under(&under_the_issuers, &text)));
    }
    for kid in [Value::Null, json!(""), json!("../issuer"), json!("' OR 1=1 --"), json!(["a"])] {
        bad.push(("its key has no id, or an odd one", issuer.signs_under(&but(issuer.header(), "kid", kid), &text)));
    }
    for crit in [json!(["b64"]), json!(["exp"])] {
        bad.push(("it needs an extension", issuer.signs_under(&but(issuer.header(), "crit", crit), &text)));
    }
    is_refused(&inn, &bad, "TOKEN_INVALID").await;
    inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_others_from_others_or_without_a_claim_opens_nothing() {
    let inn = Inn::open().await;
    let issuer = Key::of(&inn, "issuer");
    let good = a_person(&["admin"]);
    let with = |name: &str, value: Value| issuer.signs(&but(good.clone(), name, value));
    let mut bad: Vec<Bad> = vec![
        ("its time has not come", with("nbf", json!(now() + LONG))),
        ("it is for another audience", with("aud", json!("elsewhere"))),
        ("it is for other audiences", with("aud", json!(["elsewhere", "nowhere"]))),
        ("it is for a context", with("aud", json!("contexts/room"))),
        ("it is for an audience of another spelling", with("aud", json!("Jumak"))),
        ("it is from an unknown issuer", with("iss", json!("https://login.example"))),
        ("it is from a context, signed by the issuer", with("iss", json!("contexts/reservation"))),
        ("it is from nobody", with("iss", json!(""))),
        ("its subject is empty", with("sub", json!(""))),
        ("its subject is a number", with("sub", json!(7))),
        ("its expiry is a text", with("exp", json!((now() + LONG).to_string()))),
        ("its expiry is no time", with("exp", json!({"at": now() + LONG}))),
        ("its roles are one text", with("roles", json!("admin"))),
        ("its roles are numbers", with("roles", json!([1, 2]))),
    ];
    for claim in ["iss", "sub", "aud", "exp"] {
        bad.push(("it lacks a claim", with(claim, Value::Null)));
    }
    // Parsers differ in which of two they take.
    for (claim, other) in
        [("iss", "contexts/reservation"), ("sub", "root"), ("aud", "elsewhere"), ("exp", "9999999999")]
    {
        let text = good.to_string();
        let twice = format!(r#"{{"{claim}": "{other}", {}"#, &text[1..]);
        bad.push(("it has a claim twice", issuer.signs_under(&issuer.header(), &twice)));
    }
    for claims in ["", "[]", "null", "\"admin\"", "{", "{\"iss\": \"jumak\"", "\u{feff}{}"] {
        bad.push(("its claims are no object", issuer.signs_under(&issuer.header(), claims)));
    }
    is_refused(&inn, &bad, "TOKEN_INVALID").await;

    let expired = [
        ("its time is over", with("exp", json!(now() - LONG))),
        ("its time is over since a minute", with("exp", json!(now() - 60))),
        ("its time was over in 1970", with("exp", json!(0))),
    ];
    is_refused(&inn, &expired, "TOKEN_EXPIRED").await;
    inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_for_a_token_opens_nothing_and_breaks_nothing() {
    let inn = Inn::open().await;
    let issuer = Key::of(&inn, "issuer");
    let good = issuer.signs(&a_person(&["admin"]));
    let mut bad: Vec<Bad> = ["x", ".", "..", "...", "a.b.c", "null", "{}", "eyJ.eyJ.eyJ", "%00", "ey\u{e4}"]
        .map(|garbage| ("it is garbage", garbage.to_owned()))
        .to_vec();
    bad.push(("it has a part too many", format!("{good}.{good}")));
    bad.push(("it is padded", format!("{good}=")));
    // Signed as it ought to be, and still not read.
    let long = issuer.signs(&but(a_person(&["admin"]), "ballast", "x".repeat(9_000)));
    bad.push(("it is longer than any token", long));
    is_refused(&inn, &bad, "TOKEN_INVALID").await;

    // Longer than all that a header may be: it is not even a call any more.
    let huge = issuer.signs(&but(a_person(&["admin"]), "ballast", "x".repeat(60_000)));
    knocks(&inn.bearer_of(&huge)).await.expect_err("a header of 80 KB");
    // That connection may be closed for it; others are not.
    let alice = inn.guest("alice");
    let channel = inn.connection().await;
    knocks(&Person::over(channel, &alice.name, &alice.token())).await.expect("the server lives on");
    inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_in_a_bad_header_opens_nothing() {
    let inn = Inn::open().await;
    let good = Key::of(&inn, "issuer").signs(&a_person(&["admin"]));
    let rpc = rpc("ListRooms").name;
    for header in ["", "Bearer", "Bearer ", "Basic YWxpY2U6YWxpY2U=", good.as_str(), &format!("Basic {good}")] {
        let status = inn.with_header(header).sends(rpc, Vec::new()).await.expect_err(header);
        assert_eq!((status.code(), reason(&status)), (Code::Unauthenticated, "TOKEN_INVALID"), "{header}: {status:?}");
    }
    inn.with_header(&format!("bearer {good}")).sends(rpc, Vec::new()).await.expect("RFC 7235: whatever the case");
    inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_claims_to_be_a_context_is_a_person() {
    let scene = Scene::set().await;
    let issuer = Key::of(&scene.inn, "issuer");
    let payment = scene.inn.user("contexts/reservation");
    for claims in [
        but(a_person(&["reservation", "contexts/reservation", "context"]), "sub", "reservation"),
        but(a_person(&["admin", "guest"]), "sub", "contexts/reservation"),
        but(a_person(&["admin", "guest"]), "on_behalf_of", scene.guest.name.clone()),
        but(a_person(&["admin", "guest"]), "context", "reservation"),
        but(a_person(&["admin", "guest"]), "azp", "contexts/reservation"),
    ] {
        let person: Person = scene.inn.bearer_of(&issuer.signs(&claims));
        for name in ["CreatePayment", "VoidPayment", "RefundPayment", "CreateCharge", "RefundCharge"] {
            let rpc = rpc(name);
            let status = person.asks(rpc.name, &scene.request(rpc)).await.expect_err("for contexts");
            assert_eq!(reason(&status), "ROLE_REQUIRED", "{name} with {claims}");
        }
    }
    // Such a name is a hash like any other's, and never `contexts/…`.
    assert!(payment.starts_with("users/"));
    let as_context = scene.inn.bearer_of(&issuer.signs(&but(a_person(&["host"]), "sub", "contexts/reservation")));
    let request = json!({"room": {"display_name": "x", "nightly_rate": {"currency_code": "KRW", "units": 1}}});
    let room = as_context.asks(rpc("CreateRoom").name, &request).await.expect("a host's room");
    assert_eq!(wire::part::<String>(&room, "/host"), payment);
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_behalf_of_in_a_persons_token_makes_them_nobody_else() {
    let scene = Scene::set().await;
    let issuer = Key::of(&scene.inn, "issuer");
    let claims = but(but(a_person(&["guest"]), "sub", "mallory"), "on_behalf_of", scene.guest.name.clone());
    let mallory = scene.inn.bearer_of(&issuer.signs(&claims));
    for name in ["GetReservation", "GetPayment", "CancelReservation", "WatchMyPage"] {
        let rpc = rpc(name);
        let status = mallory.asks(rpc.name, &scene.request(rpc)).await.expect_err("alice's");
        assert_eq!(status.code(), Code::NotFound, "{name}: {status:?}");
    }
    scene.inn.close().await;
}
