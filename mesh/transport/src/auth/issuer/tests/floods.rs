//! Many who come at once, with keys that are not known.

use super::*;

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_the_issuer_one_fetch_in_an_interval() {
    let key = SigningKey::generate();
    let server = Server::with(&[key.public().to_jwk()]).await;
    let timing = Timing { rest: Duration::from_secs(600), ..TIMING };
    let world = unstarted(server.config(), timing);
    world.asked(1).await;
    let stranger = SigningKey::generate();
    let begun = Instant::now();
    for _ in 0..500 {
        let refusal = world.whose(&signed(&claims(&server.name()), &stranger)).await.unwrap_err();
        // The issuer rests: the key may be there by now.
        assert_eq!((refusal.reason, refusal.retry_after), (Reason::ISSUER_UNAVAILABLE, Some(Duration::from_secs(2))));
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "they are refused without waiting");
    assert_eq!(server.fetches(), 1);
    world.whose(&signed(&claims(&server.name()), &key)).await.unwrap();
}

#[tokio::test]
async fn many_who_miss_one_key_wait_for_one_fetch() {
    let (old, new) = (SigningKey::generate(), SigningKey::generate());
    let server = Server::with(&[old.public().to_jwk()]).await;
    let world = world(server.config()).await;
    server.serves(&[old.public().to_jwk(), new.public().to_jwk()]);
    tokio::time::sleep_until(world.issuer.state.borrow().rested).await;
    let token = signed(&claims(&server.name()), &new);
    let outcomes = futures::future::join_all((0..50).map(|_| world.whose(&token))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(server.fetches(), 2);
}

#[tokio::test]
async fn a_good_token_is_not_called_invalid_while_strangers_keep_the_issuer_from_being_asked() {
    let (old, new) = (SigningKey::generate(), SigningKey::generate());
    let server = Server::with(&[old.public().to_jwk()]).await;
    let world = world(server.config()).await;
    server.serves(&[new.public().to_jwk()]);
    let token = signed(&claims(&server.name()), &new);
    tokio::time::sleep_until(world.issuer.state.borrow().rested).await;

    // All places are taken by others who wait.
    let places = world.issuer.waiting.try_acquire_many(WAITING as u32).unwrap();
    let refusal = world.whose(&token).await.unwrap_err();
    assert_eq!((refusal.reason, refusal.retry_after), (Reason::ISSUER_UNAVAILABLE, Some(Duration::from_secs(2))));
    drop(places);
    world.whose(&token).await.unwrap();
}

#[tokio::test]
async fn a_key_that_the_issuer_was_asked_for_and_does_not_have_is_invalid() {
    let server = Server::with(&[SigningKey::generate().public().to_jwk()]).await;
    let world = world(server.config()).await;
    tokio::time::sleep_until(world.issuer.state.borrow().rested).await;
    let refusal = world.whose(&signed(&claims(&server.name()), &SigningKey::generate())).await.unwrap_err();
    assert_eq!((refusal.reason, server.fetches()), (Reason::TOKEN_INVALID, 2));
}
