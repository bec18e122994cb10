//! Several replicas and several connections to each, over real sockets.

use std::{
    net::TcpListener as StdListener,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures::StreamExt;
use tokio::{net::TcpListener, runtime::Runtime};

use super::*;

/// A callee with a runtime of its own, so that it can be killed like a process: its sockets close in the middle of whatever they do.
pub(super) struct Replica {
    pub callee: Callee,
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

impl Replica {
    pub(super) fn that(does: Does) -> Self {
        Self::of(Callee::that(does), SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    pub(super) fn of(callee: Callee, address: SocketAddr) -> Self {
        let listener = bound(address);
        let address = listener.local_addr().expect("bound");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let connections = Arc::new(AtomicUsize::new(0));
        let (counted, service) = (connections.clone(), HealthServer::new(callee.clone()));
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            let incoming = TcpListenerStream::new(listener).inspect(move |_| {
                counted.fetch_add(1, Ordering::Relaxed);
            });
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await
        });
        Self { callee, address, connections, runtime: Some(runtime) }
    }

    pub(super) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub(super) fn restart(&mut self) {
        self.kill();
        *self = Self::of(self.callee.clone(), self.address);
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A listener there, as soon as whoever had it before has gone.
fn bound(address: SocketAddr) -> StdListener {
    let begun = std::time::Instant::now();
    loop {
        match StdListener::bind(address) {
            Ok(listener) => {
                listener.set_nonblocking(true).expect("a socket");
                return listener;
            }
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(5), "{address} stays in use: {error}"),
        }
    }
}

pub(super) fn addresses(replicas: &[Replica]) -> impl Iterator<Item = SocketAddr> {
    replicas.iter().map(|replica| replica.address)
}

#[tokio::test]
async fn calls_spread_over_the_replicas_and_their_connections() {
    let replicas = [Replica::that(Does::Answer), Replica::that(Does::Answer), Replica::that(Does::Answer)];
    let payment = upstream_of(addresses(&replicas), Limits { connections: 2, ..limits() });
    for _ in 0..600 {
        call(&payment).await.expect("answered");
    }
    let calls: Vec<usize> = replicas.iter().map(|replica| replica.callee.calls()).collect();
    // By chance alone 200 ± 12 each.
    assert!(calls.iter().all(|calls| (130..270).contains(calls)), "{calls:?}");
    assert!(replicas.iter().all(|replica| replica.connections() == 2));
}

#[tokio::test]
async fn a_connection_with_a_call_in_flight_is_left_to_it_while_another_one_is_free() {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let slow = Replica::of(Callee::that_first([Does::Answer], Does::Hold), anywhere);
    let quick = Replica::that(Does::Answer);
    let payment = upstream_of([slow.address, quick.address], Limits { connections: 1, ..limits() });
    let mut held = Vec::new();
    while slow.callee.calls() < 2 {
        let before = slow.callee.calls() + quick.callee.calls();
        held.push(spawn_call(&payment));
        while slow.callee.calls() + quick.callee.calls() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    // What was answered has to be over: two connections with a call each are equally good.
    while held.iter().filter(|call| !call.is_finished()).count() > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..100 {
        call(&payment).await.expect("the free one answers");
    }
    assert_eq!(slow.callee.calls(), 2);
    slow.callee.let_go(1);
    for call in held {
        call.await.expect("no panic").expect("answered");
    }
}

#[tokio::test]
async fn a_replica_that_dies_costs_no_call_that_may_be_repeated() {
    let mut replicas = [Replica::that(Does::Answer), Replica::that(Does::Answer)];
    let payment = upstream_of(addresses(&replicas), Limits { attempts: 3, breaker_failures: 1, ..limits() });
    let repeat = |calls: usize| {
        let payment = payment.clone();
        tokio::spawn(async move {
            for _ in 0..calls {
                make(&payment, request().idempotent()).await.expect("answered by one or the other");
            }
        })
    };
    let callers: Vec<_> = (0..8).map(|_| repeat(400)).collect();
    replicas[0].callee.has_seen(200).await;
    replicas[0].kill();
    for caller in callers {
        caller.await.expect("every call was answered");
    }
    assert_eq!(payment.breaker_state(), BreakerState::Closed, "the callee is well, one replica of it is not");
    assert!(replicas[1].callee.calls() > 1_600);
}

#[tokio::test]
async fn a_call_that_was_with_a_replica_when_it_died_is_unknown() {
    let mut replica = Replica::that(Does::Hang);
    let payment = upstream_at(replica.address, limits());
    let hanging = spawn_call(&payment);
    replica.callee.has_seen(1).await;
    replica.kill();
    let status = hanging.await.expect("no panic").expect_err("nobody answered");
    assert_eq!(reason(&status), Some(Reason::UPSTREAM_UNAVAILABLE));
    assert!(!surely_not_sent(&status), "it may have had an effect");
}

#[tokio::test]
async fn no_call_that_reached_a_dying_replica_is_taken_for_unsent() {
    let mut replica = Replica::that(Does::Answer);
    let payment = upstream_at(replica.address, limits());
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let payment = payment.clone();
            tokio::spawn(async move {
                let mut sent = 0;
                while sent < 100_000 {
                    match call(&payment).await {
                        Err(status) if surely_not_sent(&status) => break,
                        _ => sent += 1,
                    }
                }
                sent
            })
        })
        .collect();
    replica.callee.has_seen(500).await;
    replica.kill();
    let mut sent = 0;
    for caller in callers {
        sent += caller.await.expect("no panic");
    }
    // What was answered and what is unknown; nothing that was handled is missing from the two.
    assert!(sent >= replica.callee.calls(), "{sent} sent, {} handled", replica.callee.calls());
}

#[tokio::test]
async fn a_draining_replica_is_left_at_once_and_by_every_connection_to_it() {
    for reason in [Reason::DRAINING, Reason::STARTING] {
        let leave = Refusal::new(reason, "payment is stopping").retry_after(Duration::from_secs(60));
        let replicas = [Replica::that(Does::Refuse(leave)), Replica::that(Does::Answer)];
        let limits = Limits { attempts: 3, breaker_failures: 1, connections: 4, retries_per_second: 0, ..limits() };
        let payment = upstream_of(addresses(&replicas), limits);
        // Both are up, so that there is an elsewhere.
        while replicas.iter().any(|replica| replica.connections() < 4) {
            make(&payment, request().idempotent()).await.ok();
        }
        let begun = Instant::now();
        for _ in 0..100 {
            call(&payment).await.expect("the other replica answers, though the call may not be sent twice");
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for what the first one asks for itself");
        assert!(replicas[0].callee.calls() <= 2, "{} calls were turned away", replicas[0].callee.calls());
        assert_eq!(payment.breaker_state(), BreakerState::Closed);
    }
}

#[tokio::test]
async fn a_replica_that_hangs_keeps_few_calls_waiting() {
    let replicas = [Replica::that(Does::Hang), Replica::that(Does::Answer)];
    let patient = Limits { timeout: Duration::from_millis(550), connections: 2, ..limits() };
    let payment = upstream_of(addresses(&replicas), patient);
    let mut failed = 0;
    for _ in 0..300 {
        failed += usize::from(call(&payment).await.is_err());
    }
    assert!(failed <= 6, "{failed} of 300 calls hung, of which about half would have without the rule");
}

#[tokio::test]
async fn a_replica_that_is_down_from_the_start_costs_nothing() {
    let nobody = StdListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let replica = Replica::that(Does::Answer);
    let payment = upstream_of([nobody, replica.address], Limits { breaker_failures: 1, ..limits() });
    for _ in 0..100 {
        call(&payment).await.expect("the other one answers, in one attempt");
    }
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_replica_that_has_just_come_back_takes_over_from_the_next_one_that_stops() {
    const ANSWERED: usize = 30;
    let leaves = Refusal::new(Reason::DRAINING, "payment is stopping").retry_after(Duration::from_secs(1));
    let last = Callee::that_first(vec![Does::Answer; ANSWERED], Does::Refuse(leaves));
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut replicas = [Replica::that(Does::Answer), Replica::of(last, anywhere)];
    let payment = upstream_of(addresses(&replicas), Limits { attempts: 3, breaker_failures: 1, ..limits() });
    replicas[0].kill();
    for _ in 0..ANSWERED {
        make(&payment, request().idempotent()).await.expect("the other one answers");
        // So long that whoever connects to the first one has come to its longest rest.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    replicas[0].restart();
    for _ in 0..20 {
        call(&payment).await.expect("the one that is back answers");
    }
    assert_eq!(payment.breaker_state(), BreakerState::Closed, "the callee is well all the time");
}

#[tokio::test]
async fn a_replica_that_was_starting_takes_over_before_its_time_is_over_from_the_next_one_that_starts() {
    const ANSWERED: usize = 30;
    let starts = || Refusal::new(Reason::STARTING, "payment is starting").retry_after(Duration::from_secs(60));
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    // The first one says once that it is starting, and is ready from then on; then the second one is replaced.
    let first = Callee::that_first([Does::Refuse(starts())], Does::Answer);
    let second = Callee::that_first(vec![Does::Answer; ANSWERED], Does::Refuse(starts()));
    let replicas = [Replica::of(first, anywhere), Replica::of(second, anywhere)];
    let limits = Limits { attempts: 1, breaker_failures: 1, retries_per_second: 0, ..limits() };
    let payment = upstream_of(addresses(&replicas), limits);
    for _ in 0..ANSWERED + 100 {
        call(&payment).await.expect("one or the other answers");
    }
    assert_eq!(
        replicas[1].callee.calls(),
        ANSWERED + 1,
        "the second one is left as soon as it says that it is starting"
    );
    assert_eq!(payment.breaker_state(), BreakerState::Closed, "the callee is well all the time");
}

#[tokio::test]
async fn a_call_that_stopping_and_starting_replicas_turn_away_comes_to_the_one_that_serves() {
    let leave = Refusal::new(Reason::DRAINING, "payment is stopping").retry_after(Duration::from_secs(60));
    let mut replicas: Vec<Replica> = (0..4).map(|_| Replica::that(Does::Refuse(leave.clone()))).collect();
    replicas.push(Replica::that(Does::Answer));
    let limits = Limits { attempts: 1, breaker_failures: 1, connections: 1, retries_per_second: 0, ..limits() };
    let payment = upstream_of(addresses(&replicas), limits);
    for _ in 0..100 {
        call(&payment).await.expect("the one that serves answers");
    }
    let turned_away = replicas[..4].iter().map(|replica| replica.callee.calls());
    assert!(turned_away.clone().all(|calls| calls <= 1), "{:?}", turned_away.collect::<Vec<_>>());
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn another_connection_to_the_replica_that_stops_is_no_other_replica() {
    let leaves = Refusal::new(Reason::DRAINING, "payment is stopping").retry_after(Duration::from_secs(1));
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let replica = Replica::of(Callee::that_first([Does::Answer], Does::Refuse(leaves)), anywhere);
    let (address, mut closed) = keeps_one_connection(replica.address).await;
    let payment = upstream_at(address, Limits { attempts: 1, connections: 2, breaker_failures: 2, ..limits() });
    // The first call starts the connections: one stays, and the other one keeps coming up and going down.
    while call(&payment).await.is_err() {}
    closed.wait_for(|closed| *closed >= 4).await.expect("the other end lives");
    assert_eq!(payment.breaker_state(), BreakerState::Closed);
    for _ in 0..2 {
        call(&payment).await.expect_err("it is stopping");
    }
    assert_eq!(payment.breaker_state(), BreakerState::Open, "nobody else serves");
}

/// An address that leads to `replica` over the first connection, and closes every other one at once; and how many it has closed.
async fn keeps_one_connection(replica: SocketAddr) -> (SocketAddr, tokio::sync::watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (closed, seen) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.expect("a connection");
        let mut onward = tokio::net::TcpStream::connect(replica).await.expect("the replica is there");
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut first, &mut onward).await });
        while listener.accept().await.is_ok() {
            closed.send_modify(|closed| *closed += 1);
        }
    });
    (address, seen)
}
