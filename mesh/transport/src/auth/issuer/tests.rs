//! An issuer on this machine that does what a sentence needs, and a verifier that is to believe it.

mod floods;
mod rsa;
mod withdrawn;

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use mesh_foundation::{Principal, Reason, Refusal, Role};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use super::*;
use crate::{
    auth::{
        keys::SigningKey,
        signatures::encode,
        verify::{Trust, Verifier},
    },
    config::SigningAlgorithm,
};

/// What the issuer's server does.
#[derive(Clone)]
enum Does {
    Serve(String),
    Status(u16),
    Hang,
}

/// An issuer's server: answers what it is told to, and counts.
struct Server {
    address: SocketAddr,
    keys: Arc<Mutex<Does>>,
    description: Arc<Mutex<Does>>,
    fetched: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    async fn with(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let name = format!("http://{address}");
        let described = json!({ "issuer": name, "jwks_uri": format!("{name}/keys") }).to_string();
        let (keys, description) =
            [Does::Serve(jwks(keys)), Does::Serve(described)].map(|does| Arc::new(Mutex::new(does))).into();
        let fetched = Arc::new(AtomicUsize::new(0));
        let (serves, describes, counts) = (Arc::clone(&keys), Arc::clone(&description), fetched.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { continue };
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&request[..length]).into_owned();
                let does = if asked.starts_with("GET /keys ") {
                    counts.fetch_add(1, Ordering::Relaxed);
                    serves.lock().unwrap().clone()
                } else {
                    describes.lock().unwrap().clone()
                };
                let (status, body) = match does {
                    Does::Serve(body) => (200, body),
                    Does::Status(status) => (status, String::new()),
                    Does::Hang => {
                        tokio::spawn(async move {
                            std::future::pending::<()>().await;
                            drop(stream);
                        });
                        continue;
                    }
                };
                let head = format!("HTTP/1.1 {status} X\r\nlocation: /keys\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.ok();
            }
        });
        Self { address, keys, description, fetched, task }
    }

    fn name(&self) -> String {
        format!("http://{}", self.address)
    }

    fn serves(&self, keys: &[Value]) {
        self.does(Does::Serve(jwks(keys)));
    }

    fn does(&self, does: Does) {
        *self.keys.lock().unwrap() = does;
    }

    fn fetches(&self) -> usize {
        self.fetched.load(Ordering::Relaxed)
    }

    fn config(&self) -> IssuerConfig {
        IssuerConfig { issuer: self.name(), audience: "jumak".to_owned(), ..IssuerConfig::default() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// A verifier of room's, and the issuer that it believes.
struct World {
    verifier: Verifier,
    issuer: Arc<Issuer>,
    background: Background,
}

const TIMING: Timing =
    Timing { refresh: Duration::from_secs(600), rest: Duration::from_millis(200), timeout: Duration::from_millis(400) };

async fn world(config: IssuerConfig) -> World {
    let world = unstarted(config, TIMING);
    world.asked(1).await;
    world
}

fn unstarted(config: IssuerConfig, timing: Timing) -> World {
    let issuer = Arc::new(Issuer::new(&config, timing).unwrap());
    let issuers = Issuers(Arc::new([(config.issuer, issuer.clone())].into()));
    let background = Background::new();
    issuers.start(&background);
    let trust = Trust { context: "room".to_owned(), ..Trust::default() };
    World { verifier: Verifier::new(trust).with_issuers(&issuers), issuer, background }
}

impl World {
    /// Waits until so many fetches have ended.
    async fn asked(&self, fetches: u64) {
        let mut state = self.issuer.state.subscribe();
        let ended = state.wait_for(|state| state.fetches >= fetches);
        tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the issuer is asked").unwrap();
    }

    async fn whose(&self, token: &str) -> Result<Principal, Refusal> {
        let header = http::HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        self.verifier.authenticate([&header]).await.map(|identity| identity.principal)
    }

    #[track_caller]
    fn refuses(&self, token: &str, reason: Reason, problem: &str) {
        let refusal = self.verifier.verify(token).unwrap_err();
        assert_eq!(refusal.reason, reason, "{refusal}");
        assert!(refusal.message.contains(problem), "{refusal}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let background = self.background.clone();
        tokio::spawn(async move { background.drain(Duration::from_secs(1)).await });
    }
}

fn claims(issuer: &str) -> Value {
    json!({ "iss": issuer, "aud": "jumak", "sub": "alice", "exp": get_current_timestamp() + 60, "roles": ["guest"] })
}

fn signed(claims: &Value, key: &SigningKey) -> String {
    let header = Header { kid: Some(key.kid().to_owned()), ..Header::new(Algorithm::EdDSA) };
    encode(&header, claims, key.encoding()).unwrap()
}

/// A key on P-256, as a JWK and as what signs.
fn p256(kid: &str) -> (Value, EncodingKey) {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let point = rcgen::PublicKeyData::der_bytes(&pair).to_vec();
    let [x, y] = [&point[1..33], &point[33..65]].map(|half| URL_SAFE_NO_PAD.encode(half));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": x, "y": y });
    (jwk, EncodingKey::from_ec_der(&pair.serialize_der()))
}

#[tokio::test]
async fn a_person_is_known_by_what_the_issuer_says_of_itself() {
    let key = SigningKey::generate();
    let server = Server::with(&[key.public().to_jwk()]).await;
    let world = world(server.config()).await;
    let principal = world.whose(&signed(&claims(&server.name()), &key)).await.unwrap();
    assert!(principal.has(Role::Guest) && principal.name().starts_with("users/"), "{principal:?}");
    assert_eq!(principal.name(), crate::auth::verify::user_name(&server.name(), "alice"));
}

#[tokio::test]
async fn roles_are_found_where_the_issuer_puts_them() {
    let key = SigningKey::generate();
    let server = Server::with(&[key.public().to_jwk()]).await;
    for (path, claim) in [
        ("realm_access.roles", json!({ "realm_access": { "roles": ["host", "offline_access"] } })),
        ("https://jumak.example/roles", json!({ "https://jumak.example/roles": ["host"] })),
        ("scope", json!({ "scope": "openid host" })),
    ] {
        let world = world(IssuerConfig { roles_claim: path.to_owned(), ..server.config() }).await;
        let mut token = claims(&server.name());
        token.as_object_mut().unwrap().extend(claim.as_object().unwrap().clone());
        let principal = world.whose(&signed(&token, &key)).await.unwrap();
        assert!(principal.has(Role::Host) && !principal.has(Role::Guest), "{path}: {principal:?}");
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_when_the_first_token_names_it_and_a_withdrawn_one_is_forgotten() {
    let (old, new) = (SigningKey::generate(), SigningKey::generate());
    let server = Server::with(&[old.public().to_jwk()]).await;
    let world = world(server.config()).await;
    let before = signed(&claims(&server.name()), &old);
    world.whose(&before).await.unwrap();

    server.serves(&[new.public().to_jwk()]);
    tokio::time::sleep_until(world.issuer.state.borrow().rested).await;
    world.whose(&signed(&claims(&server.name()), &new)).await.unwrap();
    assert!(world.whose(&before).await.is_err(), "remembered or not");
    tokio::time::sleep_until(world.issuer.state.borrow().rested).await;
    assert_eq!(world.whose(&before).await.unwrap_err().reason, Reason::TOKEN_INVALID, "the issuer was asked");
}

#[tokio::test]
async fn an_outage_keeps_the_last_good_keys_and_an_unknown_one_is_not_called_invalid() {
    let key = SigningKey::generate();
    let server = Server::with(&[key.public().to_jwk()]).await;
    let timing = Timing { refresh: Duration::from_millis(50), ..TIMING };
    let world = unstarted(server.config(), timing);
    world.asked(1).await;
    for outage in [Does::Status(503), Does::Hang, Does::Serve("{}".to_owned()), Does::Serve(jwks(&[]))] {
        server.does(outage);
        let fetches = world.issuer.state.borrow().fetches;
        world.asked(fetches + 2).await;
        world.whose(&signed(&claims(&server.name()), &key)).await.unwrap();
        let unknown = signed(&claims(&server.name()), &SigningKey::generate());
        world.refuses(&unknown, Reason::ISSUER_UNAVAILABLE, "try again");
        server.serves(&[key.public().to_jwk()]);
        let mut state = world.issuer.state.subscribe();
        let well = state.wait_for(|state| !state.failing);
        tokio::time::timeout(Duration::from_secs(10), well).await.expect("asked again by itself").unwrap();
    }
}

#[tokio::test]
async fn until_the_issuer_answers_its_tokens_are_neither_good_nor_bad_and_then_they_are_good() {
    let key = SigningKey::generate();
    let server = Server::with(&[key.public().to_jwk()]).await;
    server.does(Does::Status(503));
    let world = world(server.config()).await;
    let token = signed(&claims(&server.name()), &key);
    let refusal = world.whose(&token).await.unwrap_err();
    assert_eq!((refusal.reason, refusal.retry_after), (Reason::ISSUER_UNAVAILABLE, Some(Duration::from_secs(2))));
    server.serves(&[key.public().to_jwk()]);
    let good = async {
        while world.whose(&token).await.is_err() {
            tokio::time::sleep(TIMING.rest).await
        }
    };
    tokio::time::timeout(Duration::from_secs(10), good).await.expect("asked again");
}

#[tokio::test]
async fn another_issuers_description_a_redirect_and_keys_in_clear_are_not_believed() {
    let key = SigningKey::generate();
    let server = Server::with(&[key.public().to_jwk()]).await;
    let keys = format!("{}/keys", server.name());
    for description in [
        Does::Serve(json!({ "issuer": "https://id.example", "jwks_uri": keys }).to_string()),
        Does::Serve(json!({ "issuer": server.name(), "jwks_uri": "http://id.example/keys" }).to_string()),
        Does::Serve("no JSON".to_owned()),
        Does::Status(302),
    ] {
        *server.description.lock().unwrap() = description;
        let world = world(server.config()).await;
        world.refuses(&signed(&claims(&server.name()), &key), Reason::ISSUER_UNAVAILABLE, "cannot be asked");
    }
    assert_eq!(server.fetches(), 0);
}

#[tokio::test]
async fn a_document_that_never_ends_is_given_up() {
    let key = SigningKey::generate();
    let server = Server::with(&[]).await;
    let padded = json!({ "keys": [key.public().to_jwk()], "padding": "x".repeat(300_000) }).to_string();
    for does in [Does::Serve(padded), Does::Hang] {
        server.does(does);
        let begun = Instant::now();
        let world = world(IssuerConfig { jwks_url: Some(format!("{}/keys", server.name())), ..server.config() }).await;
        assert!(begun.elapsed() < Duration::from_secs(3));
        world.refuses(&signed(&claims(&server.name()), &key), Reason::ISSUER_UNAVAILABLE, "cannot be asked");
    }
}

#[tokio::test]
async fn a_key_is_good_for_its_own_algorithm_only() {
    let (jwk, encoding) = p256("ec");
    // Of 2,048 bits; only its length matters.
    let modulus = URL_SAFE_NO_PAD.encode([0xff; 256]);
    let rsa = json!({ "kty": "RSA", "kid": "rsa", "n": modulus, "e": "AQAB" });
    let server = Server::with(&[jwk, rsa.clone()]).await;
    let world = world(server.config()).await;
    let claims = claims(&server.name());
    let token = |kid: &str, algorithm, key: &EncodingKey| {
        encode(&Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) }, &claims, key).unwrap()
    };
    world.whose(&token("ec", Algorithm::ES256, &encoding)).await.unwrap();
    // The public key, in each form that a careless verifier may take for a shared secret.
    for secret in [modulus.as_bytes(), rsa.to_string().as_bytes()] {
        let forged = token("rsa", Algorithm::HS256, &EncodingKey::from_secret(secret));
        world.refuses(&forged, Reason::TOKEN_INVALID, "not signed by its key's algorithm");
    }
    world.refuses(
        &token("rsa", Algorithm::ES256, &encoding),
        Reason::TOKEN_INVALID,
        "not signed by its key's algorithm",
    );
}

#[test]
fn keys_that_may_not_sign_are_passed_over() {
    let good = SigningKey::generate().public().to_jwk();
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let config = IssuerConfig { issuer: "https://id.example".to_owned(), ..IssuerConfig::default() };
    let usable =
        |key: &Value, config: &IssuerConfig| KeySet::read(&jwks(std::slice::from_ref(key)), config).unwrap().len();
    assert_eq!(usable(&good, &config), 1);
    for key in [
        with("use", json!("enc")),
        with("key_ops", json!(["encrypt"])),
        with("alg", json!("HS256")),
        with("kid", json!("")),
        with("crv", json!("Ed448")),
        json!({ "kty": "oct", "kid": "shared", "k": "c2VjcmV0" }),
        json!({ "kty": "RSA", "kid": "short", "n": "AQAB", "e": "AQAB" }),
    ] {
        assert_eq!(usable(&key, &config), 0, "{key}");
    }
    let only_rsa = IssuerConfig { algorithms: [SigningAlgorithm::RS256].into(), ..config };
    assert_eq!(usable(&good, &only_rsa), 0);
}

#[tokio::test]
async fn an_issuer_with_keys_in_files_is_asked_nothing() {
    let key = SigningKey::generate();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    fs::write(&file, jwks(&[key.public().to_jwk()])).unwrap();
    let config = IssuerConfig {
        issuer: "https://id.example".to_owned(),
        audience: "jumak".to_owned(),
        key_files: vec![file.clone()],
        ..IssuerConfig::default()
    };
    let world = unstarted(config.clone(), TIMING);
    world.whose(&signed(&claims("https://id.example"), &key)).await.unwrap();
    world.refuses(
        &signed(&claims("https://id.example"), &SigningKey::generate()),
        Reason::TOKEN_INVALID,
        "an unknown key",
    );
    fs::write(&file, jwks(&[])).unwrap();
    assert!(matches!(Issuer::new(&config, TIMING), Err(IssuerError::NoKey { .. })));
}
