//! Processes of a mesh: their configuration, what they wait for, and their stop.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    time::{Duration, Instant},
};

use mesh::{
    Database, Reason, Refusal,
    auth::keys::SigningKey,
    config::{Config, ContextConfig, IssuerConfig},
};
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{
    Options, Server,
    plan::{Missing, plan},
};
use crate::house::{self, Member};

/// How long a test waits.
const PATIENCE: Duration = Duration::from_secs(20);

fn missing(members: &[Member], config: Config) -> String {
    let error: Missing = plan(&Options::new(members.to_vec(), config)).unwrap_err();
    error.to_string()
}

/// A new key: its file, and its public half as PEM.
fn key(folder: &Path, name: &str) -> (std::path::PathBuf, String) {
    let file = folder.join(format!("{name}.pem"));
    let key = SigningKey::load_or_create(&file).unwrap();
    (file, key.public().to_pem().unwrap())
}

/// A complete configuration of payment, with addresses at which no server listens.
fn complete(folder: &Path) -> Config {
    let mut config = Config { start_deadline_ms: 1_500, ..Config::default() };
    config.listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
    config.auth.issuer_public_keys = vec![key(folder, "issuer").1];
    config.bus.url = Some(format!("nats://127.0.0.1:{}", free_port()));
    let own = ContextConfig {
        database_url: Some(format!("postgres://u:p@127.0.0.1:{}/payment", free_port())),
        key_file: Some(key(folder, "payment").0),
        public_keys: vec![key(folder, "payment").1],
        ..ContextConfig::default()
    };
    let provider = ContextConfig { addresses: vec!["http://127.0.0.1:1".to_owned()], ..ContextConfig::default() };
    let reservation = ContextConfig { public_keys: vec![key(folder, "reservation").1], ..ContextConfig::default() };
    let contexts = [("payment", own), ("provider", provider), ("reservation", reservation)];
    config.contexts = contexts.into_iter().map(|(name, context)| (name.to_owned(), context)).collect();
    config
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The provider on a SQLite file; it needs no other server.
fn provider(folder: &TempDir) -> Options {
    let config = Config { start_deadline_ms: 20_000, ..complete(folder.path()) };
    Options { data: Some(folder.path().join("data")), ..Options::new(vec![Member::PROVIDER], config) }
}

async fn health(address: SocketAddr) -> Option<ServingStatus> {
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.ok()?;
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await.ok()?;
    Some(answer.get_ref().status())
}

/// Waits until health checks at `address` get `status`.
async fn says(address: SocketAddr, status: ServingStatus) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = health(address).await;
        if said == Some(status) {
            return;
        }
        assert!(Instant::now() < deadline, "{address} says {said:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn one_error_lists_every_missing_setting_with_an_example() {
    let said = missing(&[Member::PAYMENT], Config::default());
    for key in [
        "contexts.payment.database_url is not set; for example \"postgres://",
        "--data DIR",
        "contexts.payment.key_file is not set",
        "contexts.provider.addresses is not set; for example [\"http://provider:8088\"]",
        "contexts.reservation.public_keys is not set",
        "auth.issuer_public_keys is not set",
        "bus.url is not set; for example \"nats://127.0.0.1:4222\"",
    ] {
        assert!(said.contains(key), "{key}\n{said}");
    }
    assert_eq!(said.lines().count(), 8, "{said}");
}

#[test]
fn contexts_in_one_process_need_no_addresses_of_each_other() {
    let said = missing(&[Member::PROVIDER, Member::PAYMENT], Config::default());
    assert!(!said.contains("contexts.provider.addresses"), "{said}");
    assert!(!said.contains("contexts.payment.public_keys"), "{said}");
    assert!(said.contains("contexts.payment.key_file"), "{said}");
}

#[test]
fn a_key_that_cannot_be_read_is_named_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = complete(folder.path());
    fs::write(folder.path().join("broken.pem"), "half a key").unwrap();
    let broken = folder.path().join("broken.pem").to_string_lossy().into_owned();
    config.contexts.get_mut("reservation").unwrap().public_keys.push(broken);
    config.contexts.get_mut("payment").unwrap().key_file = Some("/nowhere/payment.pem".into());
    let said = missing(&[Member::PAYMENT], config);
    assert!(said.contains("contexts.reservation.public_keys cannot be used: the file /"), "{said}");
    assert!(said.contains("contexts.payment.key_file cannot be used: the key file /nowhere/payment.pem"), "{said}");
}

#[test]
fn a_context_trusts_every_key_of_its_callers_and_no_other_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = complete(folder.path());
    let file = folder.path().join("new.pub.pem");
    fs::write(&file, key(folder.path(), "new").1).unwrap();
    config.contexts.get_mut("reservation").unwrap().public_keys.push(file.to_string_lossy().into_owned());
    let planned = plan(&Options::new(vec![Member::PAYMENT], config)).unwrap();
    let trust = &planned[0].trust;
    assert_eq!(trust.contexts.keys().collect::<Vec<_>>(), ["reservation"]);
    assert_eq!(trust.contexts["reservation"].len(), 2, "one is being replaced");
    assert_eq!(trust.issuers[0].keys.len(), 1);
}

#[test]
fn the_hint_for_a_token_names_the_trusted_issuers() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = complete(folder.path());
    let provider = IssuerConfig { issuer: "https://id.example".to_owned(), ..IssuerConfig::default() };
    for (built_in, issuers, hint, believed) in [
        (true, vec![], "from the issuer jumak and", 1),
        (true, vec![provider.clone()], "from the issuer jumak or https://id.example and", 1),
        (false, vec![provider], "from the issuer https://id.example and", 0),
    ] {
        (config.auth.built_in, config.auth.issuers) = (built_in, issuers);
        let planned = plan(&Options::new(vec![Member::PAYMENT], config.clone())).unwrap();
        let trust = &planned[0].trust;
        assert!(trust.hint.contains(hint), "{}", trust.hint);
        assert_eq!(trust.issuers.len(), believed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_a_missing_server_and_then_fails_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = complete(folder.path());
    let address = config.listen;
    let starting = tokio::spawn(Server::start(Options::new(vec![Member::PAYMENT], config)));
    says(address, ServingStatus::NotServing).await;
    // Other calls are refused.
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = contracts::payment::v1::payment_service_client::PaymentServiceClient::new(channel);
    let refused = client.get_payment(contracts::payment::v1::GetPaymentRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(Refusal::from_status(&refused).unwrap().reason, Reason::STARTING);

    let error = format!("{:#}", starting.await.unwrap().unwrap_err());
    assert!(error.contains("was not available within") && error.contains("start_deadline_ms"), "{error}");
    assert!(error.contains("the database of payment") || error.contains("the bus"), "{error}");
    let deadline = Instant::now() + PATIENCE;
    while health(address).await.is_some() {
        assert!(Instant::now() < deadline, "it still listens");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_an_invalid_database_url_fails_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config { start_deadline_ms: 600_000, ..complete(folder.path()) };
    config.contexts.get_mut("payment").unwrap().database_url = Some("postgres://u:s3cret@127.0.0.1:port/x".to_owned());
    let starting = Server::start(Options::new(vec![Member::PAYMENT], config));
    let error = tokio::time::timeout(PATIENCE, starting).await.expect("it ends at once").unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("the database of payment") && !said.contains("s3cret"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_without_dependencies_starts_alone_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let options = provider(&folder);
    let server = Server::start(options.clone()).await.unwrap();
    let address = server.address();
    says(address, ServingStatus::Serving).await;
    let error = Server::start(Options {
        config: Config { listen: "127.0.0.1:0".parse().unwrap(), ..options.config.clone() },
        ..options.clone()
    });
    let said = error.await.unwrap_err().to_string();
    assert!(said.contains("is in use by another jumak"), "a file is for one process: {said}");
    server.stop().await.unwrap();
    assert!(health(address).await.is_none());
    Server::start(options).await.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_migrating_a_start_waits_until_another_process_has_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { migrate: false, ..provider(&folder) };
    let (address, file) = (options.config.listen, options.data.clone().unwrap().join("provider.db"));
    let starting = tokio::spawn(Server::start(options));
    says(address, ServingStatus::NotServing).await;
    let database = Database::open_file(&file, 2).await.unwrap();
    house::migrate(Member::PROVIDER, &database).await.unwrap();
    database.close().await;
    let server = starting.await.unwrap().unwrap();
    says(address, ServingStatus::Serving).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_data_of_another_version_fails_at_once() {
    for migrate in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let options = provider(&folder);
        Server::start(options.clone()).await.unwrap().stop().await.unwrap();
        let file = options.data.clone().unwrap().join("provider.db");
        let database = Database::open_file(&file, 1).await.unwrap();
        let newer = "UPDATE data_version SET format = 99, jumak = '9.9.9'";
        database.for_migrations().execute_unprepared(newer).await.unwrap();
        database.close().await;
        let begun = Instant::now();
        let error = Server::start(Options { migrate, ..options }).await.unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("format 99, made by jumak 9.9.9"), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(10), "it waited {:?}", begun.elapsed());
    }
}
