//! Tokens of keys that the issuer has taken back, shown again and again.

use super::*;

/// Asked once, and then not for as long as the test lasts.
const ONCE: Timing = Timing { rest: Duration::from_secs(600), ..TIMING };

/// How old a token is whose key has been published if it ever is.
const OLD: u64 = 70;

fn issued(issuer: &str, seconds_ago: u64) -> Value {
    let mut claims = claims(issuer);
    claims["iat"] = json!(get_current_timestamp() - seconds_ago);
    claims
}

#[tokio::test]
async fn a_token_from_well_before_the_issuers_last_answer_is_invalid_even_while_the_issuer_rests() {
    let server = Server::with(&[SigningKey::generate().public().to_jwk()]).await;
    let world = unstarted(server.config(), ONCE);
    world.asked(1).await;
    let withdrawn = SigningKey::generate();
    for _ in 0..3 {
        let refusal = world.whose(&signed(&issued(&server.name(), OLD), &withdrawn)).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::TOKEN_INVALID, "{refusal}");
    }
    assert_eq!(server.fetches(), 1);
}

#[tokio::test]
async fn a_token_that_is_newer_than_what_the_issuer_last_showed_may_be_good() {
    let server = Server::with(&[SigningKey::generate().public().to_jwk()]).await;
    let world = unstarted(server.config(), ONCE);
    world.asked(1).await;
    // What it showed may have been a minute old.
    for seconds_ago in [0, 2, 50] {
        let refusal =
            world.whose(&signed(&issued(&server.name(), seconds_ago), &SigningKey::generate())).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::ISSUER_UNAVAILABLE, "{refusal}");
    }
}

#[tokio::test]
async fn an_outage_does_not_make_a_withdrawn_key_any_better() {
    let server = Server::with(&[SigningKey::generate().public().to_jwk()]).await;
    let world = unstarted(server.config(), Timing { refresh: Duration::from_millis(50), ..TIMING });
    world.asked(1).await;
    server.does(Does::Status(503));
    let mut state = world.issuer.state.subscribe();
    let down = state.wait_for(|state| state.failing);
    tokio::time::timeout(Duration::from_secs(10), down).await.expect("the outage is noticed").unwrap();
    let refusal = world.whose(&signed(&issued(&server.name(), OLD), &SigningKey::generate())).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::TOKEN_INVALID, "{refusal}");
}

#[tokio::test]
async fn before_the_first_answer_no_token_is_too_old_to_be_good() {
    let server = Server::with(&[SigningKey::generate().public().to_jwk()]).await;
    server.does(Does::Status(503));
    let world = unstarted(server.config(), ONCE);
    world.asked(1).await;
    let refusal = world.whose(&signed(&issued(&server.name(), OLD), &SigningKey::generate())).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::ISSUER_UNAVAILABLE, "{refusal}");
}

#[tokio::test]
async fn a_key_that_is_published_later_than_it_signs_logs_nobody_out() {
    let (old, new) = (SigningKey::generate(), SigningKey::generate());
    let server = Server::with(&[old.public().to_jwk()]).await;
    let world = world(server.config()).await;
    let token = signed(&issued(&server.name(), 0), &new);
    for fetches in 2..4 {
        tokio::time::sleep_until(world.issuer.state.borrow().rested).await;
        let refusal = world.whose(&token).await.unwrap_err();
        assert_eq!((&refusal.reason, server.fetches()), (&Reason::ISSUER_UNAVAILABLE, fetches), "{refusal}");
    }
    server.serves(&[old.public().to_jwk(), new.public().to_jwk()]);
    tokio::time::sleep_until(world.issuer.state.borrow().rested).await;
    world.whose(&token).await.unwrap();
}

#[tokio::test]
async fn a_token_from_the_future_is_not_waited_for() {
    let server = Server::with(&[SigningKey::generate().public().to_jwk()]).await;
    let world = world(server.config()).await;
    tokio::time::sleep_until(world.issuer.state.borrow().rested).await;
    let mut claims = claims(&server.name());
    claims["iat"] = json!(get_current_timestamp() + 3_600);
    let refusal = world.whose(&signed(&claims, &SigningKey::generate())).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::TOKEN_INVALID, "{refusal}");
}
