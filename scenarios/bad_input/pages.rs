//! Page tokens: good for the one list that they were made for.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use mesh::Role;
use serde_json::{Value, json};

use super::put;
use crate::support::{Person, reason, rpcs::rpc, scene::Scene, wire::part};

/// A list of which there is a second page, another list of the same kind, and somebody for whom it is another list.
struct List {
    name: &'static str,
    request: Value,
    by: Person,
    others: Vec<Value>,
    rival: Option<Person>,
}

async fn lists(scene: &Scene) -> Vec<List> {
    let (guest, host) = (&scene.guest, &scene.host);
    let rival = scene.inn.person("mallory", &[Role::Guest, Role::Host]);
    let admin = scene.inn.person("root", &[Role::Admin]);
    let agent = scene.inn.person("agnes", &[Role::Agent]);
    let reservation = scene.inn.context("reservation", "payment");
    let payment = scene.inn.context("payment", "provider");
    host.registers_a_room(1).await;
    let other = guest.books_nights(&scene.room, 20..21, Some("tok_approve")).await.expect("a stay");
    for n in 0..2 {
        let amount = json!({"currency_code": "KRW", "units": 10});
        let id = format!("01990000-0000-7000-8000-0000000000a{n}");
        let request = json!({"name": scene.stay.payment, "refund_id": id, "amount": amount});
        reservation.asks(rpc("RefundPayment").name, &request).await.expect("a refund");
    }
    guest.booking(&other).await.expect("the page has caught up");

    let me = json!({"parent": "users/me"});
    let parent = |payment: &str| json!({"parent": payment});
    let list = |name, request: Value, by: &Person, others: &[Value], rival: Option<&Person>| List {
        name,
        request,
        by: by.clone(),
        others: others.to_vec(),
        rival: rival.cloned(),
    };
    vec![
        list("ListRooms", json!({}), guest, &[json!({"host": host.name}), json!({"show_deleted": true})], None),
        list("SearchRooms", json!({}), guest, &[json!({"guests": 2}), json!({"order": "RATING"})], None),
        list(
            "ListReservations",
            json!({}),
            guest,
            &[json!({"view": "HOST"}), json!({"room": scene.room.name}), json!({"states": ["CONFIRMED"]})],
            Some(&rival),
        ),
        list("ListPayments", json!({}), guest, &[json!({"case": scene.stay.name})], Some(&agent)),
        list("ListRefunds", parent(&scene.stay.payment), guest, &[parent(&other.payment)], None),
        list("ListLedgerEntries", json!({}), &admin, &[json!({"account": "provider"})], None),
        list("ListCharges", json!({}), &payment, &[], None),
        list("ListBookings", me.clone(), guest, &[json!({"parent": "users/me", "role": "HOST"})], Some(&rival)),
    ]
}

/// The request for one row after that token.
fn after(request: &Value, token: &str) -> Value {
    let mut request = request.clone();
    put(&mut request, "page_size", json!(1));
    put(&mut request, "page_token", json!(token));
    request
}

/// Tokens that nobody made.
fn made_up(token: &str) -> Vec<String> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).expect("base64");
    let mut bad: Vec<String> = (0..bytes.len())
        .map(|at| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            BASE64_URL_SAFE_NO_PAD.encode(bytes)
        })
        .collect();
    bad.extend((1..bytes.len()).step_by(5).map(|len| BASE64_URL_SAFE_NO_PAD.encode(&bytes[..len])));
    bad.extend([format!("{token}="), format!("{token}A"), format!(" {token}"), token.to_lowercase()]);
    bad.extend(["0", "1", "null", "../..", "ÄÖ", "\u{0}"].map(str::to_owned));
    bad.push("x".repeat(10_000));
    bad
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_opens_the_list_that_it_was_made_for_and_no_other() {
    let scene = Scene::set().await;
    let lists = lists(&scene).await;
    let mut tokens = Vec::new();
    for List { name, request, by, .. } in &lists {
        let page = by.asks(rpc(name).name, &after(request, "")).await.expect(name);
        let token: String = part(&page, "/nextPageToken");
        assert!(!token.is_empty(), "{name} has one page only: {page}");
        let next = by.asks(rpc(name).name, &after(request, &token)).await.expect("the page after it");
        assert_ne!(page, next, "{name}");
        tokens.push((name, token));
    }
    for List { name, request, by, others, rival } in &lists {
        let (_, own) = tokens.iter().find(|(of, _)| of == &name).expect("its token");
        let mut bad = made_up(own);
        bad.extend(tokens.iter().filter(|(of, _)| of != &name).map(|(_, token)| token.clone()));
        for token in bad {
            let status = by.asks(rpc(name).name, &after(request, &token)).await.expect_err(&token);
            assert_eq!(reason(&status), "PAGE_TOKEN_INVALID", "{name} with {token:.100}: {status:?}");
        }
        for other in others {
            let status = by.asks(rpc(name).name, &after(other, own)).await.expect_err("another list");
            assert_eq!(reason(&status), "PAGE_TOKEN_INVALID", "{name} with the token of {request} for {other}");
        }
        if let Some(rival) = rival {
            let status = rival.asks(rpc(name).name, &after(request, own)).await.expect_err("another's list");
            assert_eq!(reason(&status), "PAGE_TOKEN_INVALID", "{name} with another's token");
        }
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_was_not_handed_out_is_expired() {
    let scene = Scene::set().await;
    scene.guest.booking(&scene.hold).await.expect("the page has caught up");
    let page = scene.guest.asks(rpc("GetMyPage").name, &json!({"name": "users/me/myPage"})).await.expect("a page");
    let position: String = part(&page, "/position");
    for (name, good) in [("WatchMyPage", position.as_str()), ("WatchReservation", "v1")] {
        let rpc = rpc(name);
        let mut bad = vec!["v999".to_owned(), "999".to_owned(), "x".repeat(10_000), "\u{0}".to_owned(), "v".to_owned()];
        bad.push(format!("{good}0"));
        bad.push(good.replace('v', "w").chars().rev().collect());
        for position in bad {
            let mut request = scene.request(rpc);
            put(&mut request, "position", json!(position));
            let status = scene.by(rpc).asks(rpc.name, &request).await.expect_err(&position);
            assert_eq!(reason(&status), "POSITION_EXPIRED", "{name} from {position:.100}: {status:?}");
        }
    }
    // What was handed out to one person is of no use to another.
    let host_page = json!({"name": "users/me/myPage", "position": position});
    let status = scene.host.asks(rpc("WatchMyPage").name, &host_page).await.expect_err("alice's position");
    assert_eq!(reason(&status), "POSITION_EXPIRED");
    scene.inn.close().await;
}
