//! Tokens of keys that the issuer has taken back, shown again and again.

use super::*;

/// Asked once, and then not for as long as the test lasts.
const ONCE: Pace = Pace { rest: Duration::from_secs(600), ..PACE };

fn issued(issuer: &str, seconds_ago: u64) -> Value {
    let mut claims = claims(issuer);
    claims["iat"] = json!(get_current_timestamp() - seconds_ago);
    claims
}

#[tokio::test]
async fn a_token_from_before_the_issuers_last_answer_is_invalid_even_while_the_issuer_rests() {
    let server = Server::with(&[SigningKey::generate().public().to_jwk()]).await;
    let world = unstarted(server.config(), ONCE);
    world.asked(1).await;
    let withdrawn = SigningKey::generate();
    for _ in 0..3 {
        let refusal = world.whose(&signed(&issued(&server.name(), 60), &withdrawn)).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::TokenInvalid, "{refusal}");
    }
    assert_eq!(server.fetches(), 1);
}

#[tokio::test]
async fn a_token_from_after_the_issuers_last_answer_may_be_good() {
    let server = Server::with(&[SigningKey::generate().public().to_jwk()]).await;
    let world = unstarted(server.config(), ONCE);
    world.asked(1).await;
    // The second one only seems to be older: clocks may be apart.
    for seconds_ago in [0, 2] {
        let refusal =
            world.whose(&signed(&issued(&server.name(), seconds_ago), &SigningKey::generate())).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::IssuerUnavailable, "{refusal}");
    }
}

#[tokio::test]
async fn an_outage_does_not_make_a_withdrawn_key_any_better() {
    let server = Server::with(&[SigningKey::generate().public().to_jwk()]).await;
    let world = unstarted(server.config(), Pace { refresh: Duration::from_millis(50), ..PACE });
    world.asked(1).await;
    server.does(Does::Status(503));
    let mut state = world.issuer.state.subscribe();
    let down = state.wait_for(|state| state.failing);
    tokio::time::timeout(Duration::from_secs(10), down).await.expect("the outage is noticed").unwrap();
    let refusal = world.whose(&signed(&issued(&server.name(), 60), &SigningKey::generate())).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::TokenInvalid, "{refusal}");
}

#[tokio::test]
async fn before_the_first_answer_no_token_is_too_old_to_be_good() {
    let server = Server::with(&[SigningKey::generate().public().to_jwk()]).await;
    server.does(Does::Status(503));
    let world = unstarted(server.config(), ONCE);
    world.asked(1).await;
    let refusal = world.whose(&signed(&issued(&server.name(), 60), &SigningKey::generate())).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::IssuerUnavailable, "{refusal}");
}
