//! Rows A7, A14, M9, M15 and X8: payment is gone, hangs, is slow, is full or is late, and each time the same follows. The circuit
//! opens, who books is told at once to pay again shortly, nothing is held for them, everybody else is served as before, and it
//! all comes right by itself when payment does.

mod crowd;
mod play;
mod readers;
mod trouble;

use std::sync::LazyLock;

use tokio::sync::Mutex;

use self::{play::play, trouble::Trouble};

/// These measure times, so each has the machine to itself, as far as it is up to them.
pub(super) static ALONE: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m15_payment_is_killed_and_bookings_are_held_off_until_it_is_back() {
    play(Trouble::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m9_payment_hangs_and_bookings_are_held_off_until_it_goes_on() {
    play(Trouble::Hangs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_payment_is_slow_for_many_and_the_rest_are_held_off_before_any_call_has_failed() {
    play(Trouble::Slow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_the_provider_behind_payment_hangs_and_bookings_are_held_off_until_it_goes_on() {
    play(Trouble::ProviderHangs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m9_payment_takes_no_more_calls_and_bookings_are_held_off_until_it_does() {
    play(Trouble::Full).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x8_payment_answers_when_nobody_listens_any_more_and_bookings_are_held_off_until_it_is_in_time() {
    play(Trouble::Late).await;
}
