//! Shares work: concurrent callers with the same key wait for one piece of work, and all of them get its result.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use opentelemetry::trace::FutureExt as _;
use tracing::Instrument;

/// Shared work. It is driven by the callers that poll it.
pub(crate) type Flight<T> = Shared<BoxFuture<'static, T>>;

/// The work under way, by what it is for.
///
/// Work lasts as long as at least one caller waits for it. So there is never more work than callers, and the server bounds their number.
/// It has no deadline of its own: the first caller gives it one, and each caller bounds its own wait.
pub(crate) struct SingleFlight<K, T>(Mutex<HashMap<K, WeakShared<BoxFuture<'static, T>>>>);

impl<K: Eq + Hash, T: Clone> SingleFlight<K, T> {
    /// The work for `key` that is under way, or else new work from `begin`. Finished work is not joined, even if some of its callers have
    /// not read the result yet. Its log lines and spans belong to the caller that began it.
    pub fn join<F>(&self, key: K, begin: impl FnOnce() -> F) -> Flight<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key).and_then(under_way) {
            return flight;
        }
        // No caller waits for these any more.
        flights.retain(|_, flight| flight.upgrade().is_some());
        let flight = begin().with_current_context().in_current_span().boxed().shared();
        if let Some(begun) = flight.downgrade() {
            flights.insert(key, begun);
        }
        flight
    }
}

fn under_way<T: Clone>(flight: &WeakShared<BoxFuture<'static, T>>) -> Option<Flight<T>> {
    flight.upgrade().filter(|flight| flight.peek().is_none())
}

impl<K, T> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, T> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Work that is numbered, and done when it is let go.
    struct Work {
        flights: SingleFlight<&'static str, u32>,
        begun: Arc<AtomicU32>,
        held: Arc<Semaphore>,
    }

    impl Work {
        fn new() -> Self {
            Self { flights: SingleFlight::default(), begun: Arc::default(), held: Arc::new(Semaphore::new(0)) }
        }

        fn join(&self, key: &'static str) -> Flight<u32> {
            let (begun, held) = (self.begun.clone(), self.held.clone());
            self.flights.join(key, || async move {
                let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
                held.acquire().await.expect("never closed").forget();
                number
            })
        }

        fn let_go(&self, works: usize) {
            self.held.add_permits(works);
        }
    }

    #[tokio::test]
    async fn who_asks_for_the_same_at_the_same_time_gets_one_answer() {
        let work = Work::new();
        let flights: Vec<_> = (0..100).map(|_| work.join("a")).collect();
        work.let_go(1);
        assert_eq!(join_all(flights).await, vec![1; 100]);
        work.let_go(1);
        assert_eq!(work.join("a").await, 2, "what is over is not kept");
    }

    #[tokio::test]
    async fn what_is_over_is_not_joined_while_others_have_yet_to_look() {
        let work = Work::new();
        let (first, second) = (work.join("a"), work.join("a"));
        work.let_go(2);
        assert_eq!(first.await, 1);
        assert_eq!(work.join("a").await, 2);
        assert_eq!(second.await, 1);
    }

    #[tokio::test]
    async fn different_things_do_not_wait_for_each_other() {
        let work = Work::new();
        let (first, second) = (work.join("a"), work.join("b"));
        work.let_go(2);
        let (first, second) = tokio::join!(first, second);
        assert_ne!(first, second);
    }

    #[tokio::test]
    async fn whoever_began_may_leave_and_the_work_goes_on() {
        let work = Work::new();
        let (mut first, second) = (work.join("a"), work.join("a"));
        assert!((&mut first).now_or_never().is_none(), "it is under way");
        drop(first);
        work.let_go(1);
        assert_eq!(second.await, 1);
        assert_eq!(work.begun.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_work_that_nobody_waits_for() {
        let work = Work::new();
        for key in ["a", "b", "c"] {
            assert!(work.join(key).now_or_never().is_none(), "it is under way");
        }
        assert_eq!(Arc::strong_count(&work.held), 1, "it ended with the last who waited");
        let waiting = work.join("d");
        assert_eq!(work.flights.0.lock().unwrap().len(), 1);
        drop(waiting);
    }
}
