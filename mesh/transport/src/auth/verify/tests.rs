use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header, get_current_timestamp};
use serde_json::{Value, json};

use super::{memory::REMEMBERED, *};
use crate::auth::{
    keys::SigningKey,
    signatures::encode,
    token::{Issuer, ServiceTokens},
};

/// Payment's verifier, with the keys of everybody it believes.
struct World {
    issuer: SigningKey,
    reservation: SigningKey,
    servicecenter: SigningKey,
    verifier: Verifier,
}

fn world() -> World {
    let (issuer, reservation, servicecenter) = (SigningKey::generate(), SigningKey::generate(), SigningKey::generate());
    let verifier = Verifier::new(Trust {
        context: "payment".to_owned(),
        issuers: vec![TrustedIssuer {
            name: "jumak".to_owned(),
            audience: "jumak".to_owned(),
            keys: vec![issuer.public().clone()],
        }],
        contexts: [("reservation", &reservation), ("servicecenter", &servicecenter)]
            .map(|(name, key)| (name.to_owned(), vec![key.public().clone()]))
            .into(),
        hint: "run `jumak token`".to_owned(),
    });
    World { issuer, reservation, servicecenter, verifier }
}

fn signed(claims: &Value, key: &SigningKey) -> String {
    let header = Header { kid: Some(key.kid().to_owned()), ..Header::new(Algorithm::EdDSA) };
    encode(&header, claims, key.encoding()).unwrap()
}

fn user_claims() -> Value {
    json!({ "iss": "jumak", "aud": "jumak", "sub": "alice", "exp": get_current_timestamp() + 60, "roles": ["guest"] })
}

fn context_claims() -> Value {
    json!({
        "iss": "contexts/reservation", "aud": "contexts/payment", "sub": "reservation",
        "exp": get_current_timestamp() + 60,
    })
}

fn with(mut claims: Value, claim: &str, value: Value) -> Value {
    claims[claim] = value;
    claims
}

fn without(mut claims: Value, claim: &str) -> Value {
    claims.as_object_mut().unwrap().remove(claim);
    claims
}

impl World {
    #[track_caller]
    fn refuses(&self, token: &str, reason: Reason, problem: &str) {
        let refusal = self.verifier.verify(token).unwrap_err();
        assert_eq!(refusal.reason, reason, "{refusal}");
        assert!(refusal.message.contains(problem), "{refusal}");
    }
}

#[test]
fn a_users_token_says_who_it_is_and_what_they_may_be() {
    let world = world();
    let issuer = Issuer::new("jumak", "jumak", world.issuer.clone());
    let token = issuer.mint_user("alice", &[Role::Guest, Role::Host], Duration::from_secs(60)).unwrap();
    let identity = world.verifier.verify(&token).unwrap();
    let principal = Principal::User { name: user_name("jumak", "alice"), roles: vec![Role::Guest, Role::Host] };
    assert_eq!((&identity.principal, &identity.on_behalf_of), (&principal, &None));
    assert!((60..=60 + LEEWAY_SECONDS).contains(&identity.valid_for().as_secs()), "{identity:?}");
    assert_eq!(world.verifier.verify(&token).unwrap(), identity, "the second time from memory");
}

#[test]
fn a_contexts_token_says_which_context_and_for_whom() {
    let world = world();
    let tokens = ServiceTokens::new("servicecenter", world.servicecenter.clone());
    let identity = world.verifier.verify(&tokens.for_callee("payment").unwrap()).unwrap();
    assert_eq!(identity.principal, Principal::Context { name: "servicecenter".to_owned() });
    let identity = world.verifier.verify(&tokens.on_behalf_of("payment", "users/x").unwrap()).unwrap();
    assert_eq!(identity.principal, Principal::Context { name: "servicecenter".to_owned() });
    assert_eq!(identity.on_behalf_of.as_deref(), Some("users/x"));
}

#[test]
fn a_forged_signature_is_refused() {
    let world = world();
    let token = signed(&user_claims(), &world.issuer);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[0] ^= 1;
    let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes));
    world.refuses(&forged, Reason::TOKEN_INVALID, "signature is not valid");
}

#[test]
fn changed_claims_are_refused_even_after_the_true_token_was_seen() {
    let world = world();
    let token = signed(&user_claims(), &world.issuer);
    world.verifier.verify(&token).unwrap();
    let mut parts: Vec<&str> = token.split('.').collect();
    let claims = URL_SAFE_NO_PAD.encode(with(user_claims(), "roles", json!(["admin"])).to_string());
    parts[1] = &claims;
    world.refuses(&parts.join("."), Reason::TOKEN_INVALID, "signature is not valid");
}

#[test]
fn a_key_of_the_same_id_made_by_somebody_else_is_refused() {
    let world = world();
    let stranger = SigningKey::generate();
    let header = Header { kid: Some(world.issuer.kid().to_owned()), ..Header::new(Algorithm::EdDSA) };
    let token = encode(&header, &user_claims(), stranger.encoding()).unwrap();
    world.refuses(&token, Reason::TOKEN_INVALID, "signature is not valid");
}

#[test]
fn an_unknown_kid_or_none_is_refused() {
    let world = world();
    world.refuses(&signed(&user_claims(), &SigningKey::generate()), Reason::TOKEN_INVALID, "an unknown key");
    let token = encode(&Header::new(Algorithm::EdDSA), &user_claims(), world.issuer.encoding()).unwrap();
    world.refuses(&token, Reason::TOKEN_INVALID, "does not name its key");
}

#[test]
fn a_key_that_the_token_brings_along_is_not_used() {
    let world = world();
    let stranger = SigningKey::generate();
    let header = Header {
        kid: Some(stranger.kid().to_owned()),
        jwk: Some(serde_json::from_value(stranger.public().to_jwk()).unwrap()),
        jku: Some("http://127.0.0.1/jwks.json".to_owned()),
        ..Header::new(Algorithm::EdDSA)
    };
    let token = encode(&header, &user_claims(), stranger.encoding()).unwrap();
    world.refuses(&token, Reason::TOKEN_INVALID, "an unknown key");
}

#[test]
fn the_algorithm_none_is_refused() {
    let world = world();
    for algorithm in ["none", "None", "NONE"] {
        let header = json!({ "alg": algorithm, "typ": "JWT", "kid": world.issuer.kid() });
        let [header, claims] = [header, user_claims()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        world.refuses(&format!("{header}.{claims}."), Reason::TOKEN_INVALID, "cannot be read");
    }
}

#[test]
fn the_public_key_used_as_a_shared_secret_is_refused() {
    let world = world();
    let public = world.issuer.public();
    let secrets = [public.as_bytes().to_vec(), public.to_pem().unwrap().into_bytes()];
    for (secret, algorithm) in
        secrets.iter().flat_map(|secret| [(secret, Algorithm::HS256), (secret, Algorithm::HS512)])
    {
        let header = Header { kid: Some(public.kid().to_owned()), ..Header::new(algorithm) };
        let token = encode(&header, &user_claims(), &EncodingKey::from_secret(secret)).unwrap();
        world.refuses(&token, Reason::TOKEN_INVALID, "algorithm");
    }
}

#[test]
fn an_expired_token_says_so() {
    let world = world();
    let exp = json!(get_current_timestamp() - LEEWAY_SECONDS - 1);
    world.refuses(
        &signed(&with(user_claims(), "exp", exp.clone()), &world.issuer),
        Reason::TOKEN_EXPIRED,
        "has expired",
    );
    let token = signed(&with(context_claims(), "exp", exp), &world.reservation);
    world.refuses(&token, Reason::TOKEN_EXPIRED, "run `jumak token`");
}

#[test]
fn a_token_that_is_not_good_yet_is_refused() {
    let world = world();
    let token = signed(&with(user_claims(), "nbf", json!(get_current_timestamp() + 60)), &world.issuer);
    world.refuses(&token, Reason::TOKEN_INVALID, "not valid yet");
}

#[test]
fn a_token_without_one_of_its_claims_is_refused() {
    let world = world();
    for claim in ["exp", "iss", "aud", "sub"] {
        let problem = format!("lacks the claim `{claim}`");
        world.refuses(&signed(&without(user_claims(), claim), &world.issuer), Reason::TOKEN_INVALID, &problem);
        world.refuses(&signed(&without(context_claims(), claim), &world.reservation), Reason::TOKEN_INVALID, &problem);
    }
}

#[test]
fn an_expiry_that_is_no_number_is_refused() {
    let world = world();
    for exp in [json!("9999999999"), json!(null), json!([9_999_999_999_u64]), json!(-1)] {
        let refusal = world.verifier.verify(&signed(&with(user_claims(), "exp", exp), &world.issuer)).unwrap_err();
        assert_eq!(refusal.reason, Reason::TOKEN_INVALID);
    }
}

#[test]
fn a_token_for_another_audience_is_refused() {
    let world = world();
    let token = signed(&with(user_claims(), "aud", json!("contexts/payment")), &world.issuer);
    world.refuses(&token, Reason::TOKEN_INVALID, "another audience");
    let one_of_two = with(user_claims(), "aud", json!(["account", "jumak"]));
    world.verifier.verify(&signed(&one_of_two, &world.issuer)).unwrap();
}

#[test]
fn a_contexts_token_is_good_at_one_callee_only() {
    let world = world();
    let tokens = ServiceTokens::new("reservation", world.reservation.clone());
    world.refuses(&tokens.for_callee("room").unwrap(), Reason::TOKEN_INVALID, "another audience");
    let token = signed(&with(context_claims(), "aud", json!("jumak")), &world.reservation);
    world.refuses(&token, Reason::TOKEN_INVALID, "another audience");
    let token =
        signed(&with(context_claims(), "aud", json!(["contexts/payment", "contexts/room"])), &world.reservation);
    world.refuses(&token, Reason::TOKEN_INVALID, "one audience");
}

#[test]
fn a_contexts_token_lives_a_minute_at_most() {
    let world = world();
    let token = signed(&with(context_claims(), "exp", json!(get_current_timestamp() + 3_600)), &world.reservation);
    world.refuses(&token, Reason::TOKEN_INVALID, "lives longer");
}

#[test]
fn roles_in_a_contexts_token_widen_nothing() {
    let world = world();
    let token = signed(&with(context_claims(), "roles", json!(["admin", "guest"])), &world.reservation);
    let identity = world.verifier.verify(&token).unwrap();
    assert_eq!(identity.principal, Principal::Context { name: "reservation".to_owned() });
    assert!(Role::ALL.into_iter().all(|role| !identity.principal.has(role)));
}

#[test]
fn a_context_cannot_speak_for_another_one() {
    let world = world();
    // Its own key under the other's name.
    let as_other = with(with(context_claims(), "iss", json!("contexts/servicecenter")), "sub", json!("servicecenter"));
    world.refuses(&signed(&as_other, &world.reservation), Reason::TOKEN_INVALID, "an unknown key");
    // Its own name as issuer, the other's as subject.
    let token = signed(&with(context_claims(), "sub", json!("servicecenter")), &world.reservation);
    world.refuses(&token, Reason::TOKEN_INVALID, "different contexts");
}

#[test]
fn a_context_cannot_make_users_and_the_issuer_cannot_make_contexts() {
    let world = world();
    world.refuses(&signed(&user_claims(), &world.reservation), Reason::TOKEN_INVALID, "an unknown key");
    world.refuses(&signed(&context_claims(), &world.issuer), Reason::TOKEN_INVALID, "an unknown key");
}

#[test]
fn an_issuer_of_people_that_goes_by_a_contexts_name_does_not_become_it() {
    let (stranger, reservation) = (SigningKey::generate(), SigningKey::generate());
    let verifier = Verifier::new(Trust {
        context: "payment".to_owned(),
        issuers: vec![TrustedIssuer {
            name: "contexts/reservation".to_owned(),
            audience: "contexts/payment".to_owned(),
            keys: vec![stranger.public().clone()],
        }],
        contexts: [("reservation".to_owned(), vec![reservation.public().clone()])].into(),
        hint: String::new(),
    });
    assert_eq!(verifier.verify(&signed(&context_claims(), &stranger)).unwrap_err().reason, Reason::TOKEN_INVALID);
    verifier.verify(&signed(&context_claims(), &reservation)).unwrap();
}

#[test]
fn an_issuer_or_a_context_that_is_not_listed_is_refused() {
    let world = world();
    let token = signed(&with(user_claims(), "iss", json!("https://accounts.example")), &world.issuer);
    world.refuses(&token, Reason::TOKEN_INVALID, "not trusted here");
    let tokens = ServiceTokens::new("marketing", SigningKey::generate());
    world.refuses(&tokens.for_callee("payment").unwrap(), Reason::TOKEN_INVALID, "not trusted here");
}

#[test]
fn an_extension_that_must_be_understood_is_refused() {
    let world = world();
    let header = Header {
        kid: Some(world.issuer.kid().to_owned()),
        crit: Some(vec!["exp".to_owned()]),
        ..Header::new(Algorithm::EdDSA)
    };
    let token = encode(&header, &user_claims(), world.issuer.encoding()).unwrap();
    world.refuses(&token, Reason::TOKEN_INVALID, "extension");
}

#[test]
fn what_is_no_token_is_refused() {
    let world = world();
    for token in ["", ".", "..", "a.b.c", "Bearer", &"x".repeat(MAX_TOKEN_BYTES + 1)] {
        assert_eq!(world.verifier.verify(token).unwrap_err().reason, Reason::TOKEN_INVALID);
    }
}

#[test]
fn what_providers_give_out_for_no_audience_is_told_from_a_token_of_a_strange_algorithm() {
    let world = world();
    world.refuses("BSB0sfptTGFsnj_aqj0-bhTcKQJAJUxtZBd11AwY7a0", Reason::TOKEN_INVALID, "not a signed JWT");
    // Five parts: an encrypted one.
    world.refuses("e30.e30.e30.e30.e30", Reason::TOKEN_INVALID, "not a signed JWT");
    let header = json!({ "alg": "Ed25519", "typ": "at+jwt", "kid": world.issuer.kid() });
    let [header, claims] = [header, user_claims()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    world.refuses(&format!("{header}.{claims}.e30"), Reason::TOKEN_INVALID, "an algorithm that is not supported");
}

#[tokio::test]
async fn the_header_is_a_bearer_token() {
    let world = world();
    let token = signed(&user_claims(), &world.issuer);
    let header = |text: String| http::HeaderValue::try_from(text).unwrap();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        world.verifier.authenticate(Some(&header(format!("{scheme} {token}")))).await.unwrap();
    }
    let reason = async |value: Option<&http::HeaderValue>| world.verifier.authenticate(value).await.unwrap_err().reason;
    assert_eq!(reason(None).await, Reason::TOKEN_MISSING);
    assert_eq!(reason(Some(&header(format!("Basic {token}")))).await, Reason::TOKEN_INVALID);
    assert_eq!(reason(Some(&header(token.clone()))).await, Reason::TOKEN_INVALID);
    let one = header(format!("Bearer {token}"));
    let two = world.verifier.authenticate([&one, &one]).await.unwrap_err();
    assert_eq!(two.reason, Reason::TOKEN_INVALID, "of two, neither is chosen");
}

#[test]
fn memory_is_bounded_and_forgets_what_has_expired() {
    let world = world();
    let until = |expires| {
        let principal = Principal::Context { name: "x".to_owned() };
        Identity { principal, on_behalf_of: None, expires }
    };
    let memory = &world.verifier.0.verified;
    memory.keep([7; 32], until(get_current_timestamp()), None);
    assert_eq!(memory.find(&[7; 32]), None);
    for n in 0..=REMEMBERED as u64 {
        let digest = Sha256::digest(n.to_be_bytes()).into();
        memory.keep(digest, until(u64::MAX), None);
    }
    assert!(memory.len() <= REMEMBERED);
}

#[test]
fn a_users_name_depends_on_issuer_and_subject() {
    let name = user_name("jumak", "alice");
    assert_eq!(name, user_name("jumak", "alice"));
    assert_eq!(name.len(), "users/".len() + 26);
    assert!(name["users/".len()..].bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')));
    let others = [("jumak", "bob"), ("https://accounts.example", "alice"), ("jumaka", "lice"), ("", "jumakalice")];
    for (issuer, subject) in others {
        assert_ne!(name, user_name(issuer, subject));
    }
}
