//! A callee that goes away as a whole and comes back, over real sockets.

use mesh_testing::Authority;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{replicas::Replica, *};
use crate::{config::TlsConfig, tls::Tls};

/// As configured by default, but for the attempts.
fn as_configured() -> Limits {
    crate::config::ClientConfig::default().limits()
}

#[tokio::test]
async fn an_outage_is_refused_at_once_and_ends_within_a_second_of_the_callees_return() {
    let mut replica = Replica::that(Does::Answer);
    let payment = upstream_at(replica.address, as_configured());
    call(&payment).await.expect("it runs");
    replica.kill();
    while payment.breaker_state() == BreakerState::Closed {
        call(&payment).await.ok();
    }

    // Longer than the circuit's first rests, so that they have grown.
    let (mut prompt, mut all) = (0_u32, 0_u32);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(2_500) {
        let called = Instant::now();
        let status = call(&payment).await.expect_err("nobody is there");
        assert!(surely_not_sent(&status), "{status:?}");
        all += 1;
        prompt += u32::from(called.elapsed() < Duration::from_millis(10));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(prompt * 100 >= all * 95, "{prompt} of {all} were refused within 10 ms");

    replica.restart();
    let returned = Instant::now();
    while call(&payment).await.is_err() {
        assert!(returned.elapsed() < Duration::from_secs(1), "it has been back for a second");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_restart_under_load_ends_for_every_caller() {
    let mut replica = Replica::that(Does::Answer);
    let payment = upstream_at(replica.address, as_configured());
    call(&payment).await.expect("it runs");
    for _ in 0..3 {
        replica.restart();
        let restarted = Instant::now();
        let callers: Vec<_> = (0..32)
            .map(|_| {
                let payment = payment.clone();
                tokio::spawn(async move {
                    while make(&payment, request().idempotent()).await.is_err() {
                        assert!(restarted.elapsed() < Duration::from_secs(2), "it has been back for long");
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.expect("every caller gets through");
        }
    }
}

#[tokio::test]
async fn a_callee_that_closes_every_connection_is_reconnected_to_with_backoff() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let payment = upstream_at(listener.local_addr().expect("bound"), Limits { connections: 2, ..as_configured() });
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let payment = payment.clone();
            tokio::spawn(async move {
                loop {
                    make(&payment, request().idempotent()).await.ok();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
        })
        .collect();
    let mut accepted = 0;
    let window = async {
        loop {
            drop(listener.accept().await.expect("a connection"));
            accepted += 1;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), window).await.expect_err("it goes on for ever");
    callers.iter().for_each(JoinHandle::abort);
    // Each rests at least 25, 50, 100, 200, and then 250 ms each time.
    assert!((2..=24).contains(&accepted), "{accepted} connections in two seconds");
}

#[tokio::test]
async fn a_callee_that_closes_every_connection_does_not_end_the_circuits_rest_each_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let rest = Duration::from_secs(60);
    let limits = Limits { breaker_failures: 1, breaker_backoff: rest, breaker_max_backoff: rest, ..limits() };
    let payment = upstream_at(listener.local_addr().expect("bound"), Limits { connections: 1, ..limits });
    let accepting = tokio::spawn(async move {
        for _ in 0..6 {
            drop(listener.accept().await.expect("a connection"));
        }
        // Until the last one has come up and gone down as well, it connects once more.
        listener.accept().await.expect("a connection")
    });
    let mut let_through = 0;
    while !accepting.is_finished() {
        let_through += usize::from(payment.refuses_now().is_none());
        call(&payment).await.expect_err("nobody answers");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(payment.breaker_state(), BreakerState::Open);
    assert!(let_through <= 2, "{let_through} calls: beside the one that opened it and one probe, none was due");
}

#[tokio::test]
async fn a_connection_that_its_peer_closes_unused_after_a_while_is_made_again_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let payment =
        upstream_at(listener.local_addr().expect("bound"), Limits { connections: 1, attempts: 1, ..as_configured() });
    let first = spawn_call(&payment);
    // Closed at once each time, until the rests in between are the longest.
    for _ in 0..5 {
        drop(listener.accept().await.expect("a connection"));
    }
    first.await.expect("no panic").expect_err("nobody answers");
    let unused = listener.accept().await.expect("a connection");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    drop(unused);
    // After another rest it would take 250 ms at least.
    let again = tokio::time::timeout(Duration::from_millis(240), listener.accept()).await;
    again.expect("at once").expect("a connection");
}

#[tokio::test]
async fn calls_beyond_the_limit_are_shed_and_the_rest_is_answered() {
    let replica = Replica::that(Does::Hold);
    let payment = upstream_at(replica.address, Limits { in_flight: 4, ..limits() });
    let held: Vec<_> = (0..4).map(|_| spawn_call(&payment)).collect();
    replica.callee.has_seen(4).await;
    for _ in 0..20 {
        let begun = Instant::now();
        let status = call(&payment).await.expect_err("shed");
        assert!(surely_not_sent(&status) && begun.elapsed() < Duration::from_millis(100));
    }
    replica.callee.let_go(4);
    for call in held {
        call.await.expect("no panic").expect("answered");
    }
    assert_eq!(replica.callee.calls(), 4);
}

#[tokio::test]
async fn an_attempt_is_told_how_much_time_is_left_for_it() {
    let unwell = Does::Fail(Status::unavailable("down"));
    let replica = Replica::of(Callee::that_first([unwell], Does::Answer), SocketAddr::from(([127, 0, 0, 1], 0)));
    let payment = upstream_at(replica.address, Limits { attempts: 2, ..limits() });
    make(&payment, within(Duration::from_secs(2)).idempotent()).await.expect("the second attempt is answered");
    let told: Vec<u64> = replica.callee.seen().iter().map(micros).collect();
    // Between the two lies the wait before a retry.
    assert!(told[0] <= 2_000_000 && told[1] + 10_000 < told[0] && told[1] > 1_000_000, "{told:?}");
}

#[tokio::test]
async fn the_time_that_connecting_took_is_deducted_from_the_callees_timeout() {
    const HANDSHAKE: Duration = Duration::from_millis(100);
    let replica = Replica::that(Does::Answer);
    let authority = Authority::new();
    authority.issue();
    let (cert_file, key_file) = authority.pair();
    let (cert_file, key_file, ca_file) = (Some(cert_file), Some(key_file), Some(authority.ca_file()));
    let tls = Tls::load(&TlsConfig { cert_file, key_file, ca_file, ..TlsConfig::default() }).expect("good files");
    let acceptor = TlsAcceptor::from(tls.server().expect("a certificate"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let mut callee = TcpStream::connect(replica.address).await.expect("it runs");
    tokio::spawn(async move {
        let (caller, _) = listener.accept().await.expect("a connection");
        tokio::time::sleep(HANDSHAKE).await;
        let mut caller = acceptor.accept(caller).await.expect("a handshake");
        tokio::io::copy_bidirectional(&mut caller, &mut callee).await
    });

    let limits = Limits { connections: 1, connect_timeout: Duration::from_secs(5), ..limits() };
    let upstreams = Upstreams::builder("reservation", Arc::new(Named), limits).tls(tls);
    let upstreams = upstreams.address("payment", &format!("https://{address}")).expect("a good address").build();
    let payment = upstreams.get("payment").expect("an address");
    make(&payment, within(Duration::from_secs(5))).await.expect("answered");
    let told = Duration::from_micros(micros(&replica.callee.seen()[0]));
    assert!(told + HANDSHAKE <= Duration::from_secs(5), "{told:?}");
}

fn micros(metadata: &MetadataMap) -> u64 {
    let text = metadata.get("grpc-timeout").expect("a deadline").to_str().expect("ascii");
    text.strip_suffix('u').expect("microseconds").parse().expect("a number")
}
