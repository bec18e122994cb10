//! TLS on the listener, met by the client's own connections.

use std::net::SocketAddr;

use mesh_foundation::Error;
use mesh_testing::Authority;
use mesh_transport::{
    client::{Limits, TokenSource, Upstream, Upstreams, surely_not_sent},
    config::TlsConfig,
    tls::Tls,
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::*;
use crate::server::{Contexts, Health, ServeOptions, serve};

/// The settings of those who have to do with an authority.
trait Settings {
    /// Of somebody with a certificate of this authority, who believes it and nobody else.
    fn member(&self) -> TlsConfig;
    /// Of somebody without a certificate, who believes this authority and nobody else.
    fn stranger(&self) -> TlsConfig;
}

impl Settings for Authority {
    fn member(&self) -> TlsConfig {
        self.issue();
        let (cert_file, key_file) = self.pair();
        TlsConfig { cert_file: Some(cert_file), key_file: Some(key_file), ..self.stranger() }
    }

    fn stranger(&self) -> TlsConfig {
        TlsConfig { ca_file: Some(self.ca_file()), ..TlsConfig::default() }
    }
}

/// A process that serves with TLS.
struct Process {
    address: SocketAddr,
    tls: Tls,
    serving: JoinHandle<()>,
}

async fn process(settings: &TlsConfig) -> Process {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let contexts = Contexts::from(vec![bench().service]);
    let health = Health::not_ready(&contexts).await;
    health.ready().await;
    let tls = Tls::load(settings).unwrap();
    let options = ServeOptions {
        reflection: false,
        drain_deadline: Duration::from_secs(1),
        connections: 100,
        tls: Some(tls.clone()),
    };
    let served = serve(listener, contexts, health, options, CancellationToken::new());
    let serving = tokio::spawn(async move { served.await.unwrap() });
    Process { address, tls, serving }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct NoToken;

impl TokenSource for NoToken {
    fn token(&self, _: &str) -> Result<String, Error> {
        Ok("none".to_owned())
    }
}

impl Process {
    /// A client of this process; each has connections of its own.
    fn client(&self, scheme: &str, settings: &TlsConfig) -> Upstream {
        let limits = Limits { attempts: 1, connections: 1, ..Limits::default() };
        let uri = format!("{scheme}://localhost:{}", self.address.port());
        let builder = Upstreams::builder("test", Arc::new(NoToken), limits).tls(Tls::load(settings).unwrap());
        builder.address("room", &uri).unwrap().build().get("room").unwrap()
    }
}

async fn call(client: &Upstream) -> Result<(), Status> {
    HealthClient::new(client.clone()).check(HealthCheckRequest::default()).await.map(|_| ())
}

#[tokio::test]
async fn a_client_that_believes_the_authority_is_answered() {
    let authority = Authority::new();
    let process = process(&authority.member()).await;
    call(&process.client("https", &authority.stranger())).await.unwrap();
}

#[tokio::test]
async fn a_client_that_believes_another_authority_sends_nothing() {
    let (authority, another) = (Authority::new(), Authority::new());
    let process = process(&authority.member()).await;
    for settings in [another.stranger(), TlsConfig::default()] {
        let status = call(&process.client("https", &settings)).await.unwrap_err();
        assert!(surely_not_sent(&status), "{status:?}");
    }
}

#[tokio::test]
async fn a_client_without_tls_is_refused_and_one_with_it_sends_nothing_in_clear() {
    let authority = Authority::new();
    let secure = process(&authority.member()).await;
    call(&secure.client("http", &authority.stranger())).await.unwrap_err();
    let clear = process(&TlsConfig::default()).await;
    let status = call(&clear.client("https", &authority.stranger())).await.unwrap_err();
    assert!(surely_not_sent(&status), "{status:?}");
}

#[tokio::test]
async fn a_client_has_to_show_a_certificate_where_one_is_demanded() {
    let (authority, another) = (Authority::new(), Authority::new());
    let demanding = TlsConfig { client_ca_file: Some(authority.ca_file()), ..authority.member() };
    let process = process(&demanding).await;
    call(&process.client("https", &authority.member())).await.unwrap();
    call(&process.client("https", &authority.stranger())).await.unwrap_err();
    let impostor = TlsConfig { ca_file: Some(authority.ca_file()), ..another.member() };
    call(&process.client("https", &impostor)).await.unwrap_err();
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_while_calls_go_on() {
    let (authority, next) = (Authority::new(), Authority::new());
    let settings = authority.member();
    let process = process(&settings).await;
    let open = process.client("https", &authority.stranger());
    call(&open).await.unwrap();

    // The next authority's certificate takes the place of the first one's, as a rotation does it.
    next.issue();
    let ((from_cert, from_key), (cert, key)) = (next.pair(), authority.pair());
    std::fs::copy(from_cert, &cert).unwrap();
    assert!(process.tls.look().is_err(), "half a change is not taken up");
    call(&process.client("https", &authority.stranger())).await.expect("the old pair stays in use");
    std::fs::copy(from_key, key).unwrap();
    assert!(process.tls.look().unwrap());
    assert!(!process.tls.look().unwrap(), "once is enough");

    call(&process.client("https", &next.stranger())).await.expect("a new connection gets the new certificate");
    call(&process.client("https", &authority.stranger())).await.unwrap_err();
    call(&open).await.expect("a connection that was open goes on");
}

#[tokio::test]
async fn a_changed_file_is_reloaded_without_a_signal() {
    let authority = Authority::new();
    let settings = TlsConfig { reload_ms: 100, ..authority.member() };
    let process = process(&settings).await;
    let before = process.tls.server().unwrap();
    let background = mesh_foundation::background::Background::new();
    process.tls.start(&background);
    authority.issue();
    let noticed = async {
        while Arc::ptr_eq(&before, &process.tls.server().unwrap()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), noticed).await.expect("taken up");
    background.drain(Duration::from_secs(5)).await;
}

/// The preface's patience is five seconds; a handshake has no more.
#[tokio::test]
async fn a_connection_without_a_handshake_is_closed() {
    let authority = Authority::new();
    let process = process(&authority.member()).await;
    let mut silent = TcpStream::connect(process.address).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(10), silent.read(&mut [0])).await.expect("closed");
    assert!(matches!(closed, Ok(0) | Err(_)));
}

#[tokio::test]
async fn certificates_are_read_as_an_editor_leaves_them() {
    let authority = Authority::new();
    let settings = authority.member();
    for file in [settings.cert_file.clone(), settings.key_file.clone(), settings.ca_file.clone()].into_iter().flatten()
    {
        let pem = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("\u{feff}{}", pem.replace('\n', "\r\n"))).unwrap();
    }
    let process = process(&settings).await;
    call(&process.client("https", &authority.stranger())).await.unwrap();
}

#[test]
fn files_that_are_no_pair_or_not_there_are_named() {
    let (authority, another) = (Authority::new(), Authority::new());
    let settings = authority.member();
    another.issue();
    let unequal = TlsConfig { key_file: Some(another.pair().1), ..settings.clone() };
    assert!(Tls::load(&unequal).unwrap_err().to_string().contains("certificate and its key"));
    let missing = TlsConfig { ca_file: Some("/nowhere/ca.pem".into()), ..settings.clone() };
    assert!(Tls::load(&missing).unwrap_err().to_string().contains("/nowhere/ca.pem"));
    let swapped = TlsConfig { cert_file: settings.key_file.clone(), ..settings };
    assert!(Tls::load(&swapped).unwrap_err().to_string().contains("holds no certificate"));
}
