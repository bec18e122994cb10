//! Row A14, as its words have it: a hundred clients for thirty seconds against a payment that is slow.

use std::{sync::Arc, time::Duration};

use jumak::house::Member;
use local_mesh::Options;
use mesh::Role;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::ALONE;
use crate::{
    mesh::{
        answers::{Answer, Asked, Timings, ms, settle},
        meters::{Meters, scraped},
        options,
    },
    support::{Inn, Person, setup::Setup},
};

const CLIENTS: usize = 100;
/// Connections that the clients share.
const CONNECTIONS: usize = 4;
const LASTS: Duration = Duration::from_secs(30);
/// Told to pay again shortly, a client does so after this long: by default that is what it is told, or a little more.
const SHORTLY: Duration = Duration::from_secs(1);
/// What most pay with: a second and a half is slow.
const SLOW: &str = "tok_slow_1500";
/// What every fourth pays with: payment gives the provider three seconds, and says then that it does not know yet.
const SLOWER: &str = "tok_slow_4000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_a_hundred_clients_against_a_slow_payment_are_served_or_held_off_at_once() {
    let _alone = ALONE.lock().await;
    let inn = Arc::new(Inn::in_mesh(Options { config: scraped(Setup::new()).config, ..options() }).await);
    let room = inn.host("hana").registers_a_room(10_000).await;
    // Until reservation has heard of the room it asks room about it, and that is another circuit.
    inn.audit().await;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(inn.connection().await);
    }

    let (begun, mut clients) = (Instant::now(), JoinSet::new());
    let ends = begun + LASTS;
    for number in 0..CLIENTS {
        let (inn, room, connection) = (inn.clone(), room.clone(), connections[number % CONNECTIONS].clone());
        clients.spawn(async move {
            let (token, mut asked) = (if number % 4 == 3 { SLOWER } else { SLOW }, Vec::new());
            while Instant::now() < ends {
                // Somebody new each time: nobody has more open holds than a guest may have.
                let name = format!("client-{number}-{}", asked.len());
                let guest = Person::over(connection.clone(), &inn.user(&name), &inn.token(&name, &[Role::Guest]));
                let sent = Instant::now();
                let answer = Answer::read(guest.books(&room, Some(token)).await);
                let one = Asked { guest, sent, answered: Instant::now(), answer };
                let comes_again =
                    if matches!(one.answer, Answer::Confirmed(_)) { one.answered } else { one.answered + SHORTLY };
                asked.push(one);
                sleep_until(comes_again.min(ends)).await;
            }
            asked
        });
    }
    let mut asked = Vec::new();
    while let Some(client) = clients.join_next().await {
        asked.extend(client.expect("every answer was one that a guest may get"));
    }

    let took = |wanted: fn(&Answer) -> bool| -> Timings {
        asked.iter().filter(|one| wanted(&one.answer)).map(Asked::took).collect()
    };
    let confirmed = took(|answer| matches!(answer, Answer::Confirmed(_)));
    let held_off = took(|answer| *answer == Answer::HeldOff);
    let not_sent = asked.iter().filter(|one| matches!(one.answer, Answer::NotSent(_))).count();
    let pending = asked.iter().filter(|one| matches!(one.answer, Answer::Pending(_))).count();
    let counted = Meters::of(&inn, Member::RESERVATION, 0).read().await;
    let (opened, closed) = (counted.circuit_to_payment("open"), counted.circuit_to_payment("closed"));
    println!(
        "{CLIENTS} clients for {} s: {} asked, {} confirmed (median {}, p99 {}), {} held off (median {}, p99 {}), {not_sent} not sent, \
         {pending} pending; the circuit opened {opened} times",
        LASTS.as_secs(),
        asked.len(),
        confirmed.len(),
        ms(confirmed.median()),
        ms(confirmed.p99()),
        held_off.len(),
        ms(held_off.median()),
        ms(held_off.p99()),
    );
    assert!(opened >= 1.0 && closed >= 1.0, "the circuit opened {opened} and closed {closed} times");
    let first =
        |wanted: fn(&Answer) -> bool| asked.iter().filter(|one| wanted(&one.answer)).map(|one| one.answered).min();
    let first_failed = first(|answer| matches!(answer, Answer::Pending(_)));
    let first_held_off = first(|answer| *answer == Answer::HeldOff);
    assert!(first_held_off < first_failed, "it opens on calls in flight, and not because calls have failed");
    // Whoever is held off waits for nothing: payment takes a second and a half.
    assert!(held_off.median() * 10 < confirmed.median(), "{} to be held off", ms(held_off.median()));
    assert!(held_off.p99() < confirmed.median(), "{} to be held off", ms(held_off.p99()));
    assert!(pending > 0 && confirmed.len() > CLIENTS / 2, "too little was done to prove anything");

    let booked = settle(&inn, &asked).await;
    println!("  {booked} are booked, charged and in order after {:.1} s", begun.elapsed().as_secs_f64());
    Arc::into_inner(inn).expect("nobody is in it any more").close().await;
}
