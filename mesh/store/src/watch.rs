//! Watches a resource over a server stream: sends its state at once, then every change, each with a position from which a dropped stream
//! can be resumed.
//!
//! A watch reads the database. A commit of this process wakes it; for commits of other processes it polls twice a second. A wait for one
//! change ([`until`]) does the same, and polls more often at first. All of them share one bound: the more watchers there are, the longer
//! each rests.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use mesh_foundation::{
    background::Background,
    error::{Error, Reason, Refusal},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::db::{Database, Engine};

/// How often a watch polls without being woken.
const POLL: Duration = Duration::from_millis(500);
/// The same if no other process writes: only for a commit whose call was dropped before it could wake the watchers.
const POLL_ALONE: Duration = Duration::from_secs(5);
/// The least time between two polls: a busy database wakes its watchers with every commit.
const REST: Duration = Duration::from_millis(25);
/// Added to that for each watcher of the database, so that all of them together poll at most a thousand times a second.
const REST_PER_WATCHER: Duration = Duration::from_millis(1);
/// How many messages wait for a slow reader before the watch waits with it.
const BUFFERED: usize = 16;

/// A server stream of `T`.
pub type Following<T> = ReceiverStream<Result<T, Status>>;

/// Calls `look` at once and after every commit, and sends what it finds, until the reader leaves, `look` fails or the process
/// stops (then with DRAINING, so that the reader goes on elsewhere). `look` is given the position that it returned last.
pub fn follow<T, P, F, Fut>(database: &Database, background: &Background, look: F) -> Following<T>
where
    T: Send + 'static,
    P: Clone + Send + 'static,
    F: FnMut(Option<P>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(Option<P>, Vec<T>), Error>> + Send,
{
    let (sender, receiver) = mpsc::channel(BUFFERED);
    let (database, background) = (database.clone(), background.clone());
    // Not a detached task: nothing is lost when it is dropped, and a drain must not wait for its reader.
    tokio::spawn(async move {
        let watching = watch(&database, &background, look, &sender);
        // Unwind safe, because `look` shares state only through the database. After a panic the stream must end with an error:
        // otherwise its reader would think that it is complete.
        let ended = AssertUnwindSafe(watching).catch_unwind().await;
        if let Err(error) = ended.unwrap_or_else(|_| Err(Error::Internal("a watch panicked".to_owned()))) {
            let _reader_may_be_gone = sender.send(Err(error.into())).await;
        }
    });
    ReceiverStream::new(receiver)
}

/// Returns when the reader has left.
async fn watch<T, P, F, Fut>(
    database: &Database,
    background: &Background,
    mut look: F,
    sender: &mpsc::Sender<Result<T, Status>>,
) -> Result<(), Error>
where
    P: Clone,
    F: FnMut(Option<P>) -> Fut,
    Fut: Future<Output = Result<(Option<P>, Vec<T>), Error>>,
{
    let poll = if database.engine() == Engine::Sqlite { POLL_ALONE } else { POLL };
    let mut commits = database.commits();
    let mut position = None;
    loop {
        commits.mark_unchanged();
        let (reached, found) = look(position).await?;
        position = reached;
        for item in found {
            if sender.send(Ok(item)).await.is_err() {
                return Ok(());
            }
        }
        if background.is_draining() {
            return Err(Refusal::new(Reason::DRAINING, "this server is stopping")
                .hint("resume from the last position")
                .into());
        }
        tokio::select! {
            () = sender.closed() => return Ok(()),
            () = sleep(rest(database.watchers())) => {}
        }
        tokio::select! {
            () = sender.closed() => return Ok(()),
            _ = commits.changed() => {}
            () = sleep(poll) => {}
        }
    }
}

/// Watches the newest state of one resource: sends it at once, and whenever its version has risen. There is no history, so a position is
/// the version that was last sent; a position that the resource has not reached has expired.
pub async fn newest<R, A, F, Fut>(
    database: &Database,
    background: &Background,
    position: &str,
    read: F,
    version: fn(&R) -> i64,
    tell: fn(&R, String) -> A,
) -> Result<Following<A>, Error>
where
    R: Send + 'static,
    A: Send + 'static,
    F: Fn() -> Fut + Send + 'static,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
{
    let mut sent = match position {
        "" => None,
        position => Some(position.strip_prefix('v').and_then(|at| at.parse().ok()).ok_or_else(expired)?),
    };
    let reached = version(&read().await?);
    if sent.is_some_and(|sent| sent > reached) {
        return Err(expired().into());
    }
    Ok(follow(database, background, move |after: Option<i64>| {
        let (found, after) = (read(), after.or(sent.take()));
        async move {
            let found = found.await?;
            let version = version(&found);
            let news = after.is_none_or(|after| version > after).then(|| tell(&found, format!("v{version}")));
            Ok((Some(version), news.into_iter().collect()))
        }
    }))
}

fn expired() -> Refusal {
    Refusal::new(Reason::POSITION_EXPIRED, "the position does not belong to this resource")
        .hint("watch without a position: the current state comes first")
}

/// Calls `look` at once and then after commits, until its result `is_enough` or until `give_up`, and returns the last result.
///
/// For commits of other processes it polls: the next time after as long as it has waited so far, and at least twice a second unless there
/// are many watchers.
pub async fn until<T, Fut>(
    database: &Database,
    give_up: Instant,
    look: impl Fn() -> Fut,
    is_enough: impl Fn(&T) -> bool,
) -> Result<T, Error>
where
    Fut: Future<Output = Result<T, Error>>,
{
    let begun = Instant::now();
    let mut commits = database.commits();
    loop {
        commits.mark_unchanged();
        let found = look().await?;
        let now = Instant::now();
        if is_enough(&found) || now >= give_up {
            return Ok(found);
        }
        // Open watches are counted as well, and may be many more than waits.
        sleep_until(give_up.min(now + rest(database.watchers()).min(POLL))).await;
        tokio::select! {
            _ = commits.changed() => {}
            () = sleep_until(give_up.min(now + (now - begun).min(POLL))) => {}
        }
    }
}

/// How long one of that many watchers rests. Randomised, so that they do not all poll at the same moment after a commit.
fn rest(watchers: usize) -> Duration {
    let rest = REST.max(REST_PER_WATCHER.saturating_mul(u32::try_from(watchers).unwrap_or(u32::MAX)));
    rest.mul_f64(rand::random_range(0.5..=1.5))
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        sync::{
            Arc,
            atomic::{AtomicI64, Ordering},
        },
    };

    use futures::future::join_all;
    use servers::engine::FreshDatabase;
    use tokio_stream::StreamExt;

    use super::*;

    async fn database() -> (FreshDatabase, Database) {
        let kept = FreshDatabase::new().await.unwrap();
        let database = Database::connect(kept.url(), 2).await.unwrap();
        (kept, database)
    }

    #[tokio::test]
    async fn a_panic_ends_a_watch_as_a_failure() {
        let (_kept, database) = database().await;
        let mut looks = 0;
        let mut stream = follow(&database, &Background::new(), move |_: Option<()>| {
            looks += 1;
            let look = looks;
            async move {
                assert!(look < 2, "told to");
                Ok((None, vec![look]))
            }
        });
        assert_eq!(stream.next().await.unwrap().unwrap(), 1);
        database.transact("wake", |_| async { Ok(()) }).await.unwrap();
        let status = stream.next().await.unwrap().unwrap_err();
        assert_eq!(Refusal::from_status(&status).unwrap().reason, Reason::INTERNAL);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn the_newest_state_is_told_and_none_that_was_sent_before() {
        let (_kept, database) = database().await;
        let version = Arc::new(AtomicI64::new(2));
        let watch = |position: &'static str| {
            let version = version.clone();
            let read = move || std::future::ready(Ok(version.load(Ordering::SeqCst)));
            let (database, background) = (database.clone(), Background::new());
            async move { newest(&database, &background, position, read, |version| *version, |_, position| position).await }
        };
        assert_eq!(watch("").await.unwrap().next().await.unwrap().unwrap(), "v2");
        let mut resumed = watch("v2").await.unwrap();
        version.store(3, Ordering::SeqCst);
        database.transact("wake", |_| async { Ok(()) }).await.unwrap();
        assert_eq!(resumed.next().await.unwrap().unwrap(), "v3", "the one before was sent");
        for position in ["v4", "3", "v", "w3"] {
            let refused = watch(position).await.err().unwrap();
            assert!(matches!(refused, Error::Refused(refusal) if refusal.reason == Reason::POSITION_EXPIRED));
        }
    }

    #[tokio::test]
    async fn many_who_wait_for_one_change_do_not_look_at_every_commit() {
        const WAITERS: u32 = 200;
        let (_kept, database) = database().await;
        let looks = Cell::new(0);
        let wait = || {
            let look = || async {
                looks.set(looks.get() + 1);
                Ok(())
            };
            until(&database, Instant::now() + REST_PER_WATCHER * WAITERS, look, |()| false)
        };
        let commits = async {
            loop {
                database.transact("wake", |_| async { Ok(()) }).await.unwrap();
            }
        };
        tokio::select! {
            waited = join_all((0..WAITERS).map(|_| wait())) => assert!(waited.iter().all(Result::is_ok)),
            () = commits => {}
        }
        // At once, after half a rest, after a whole one, and in the end; the first one knows nothing of the others yet.
        assert!(looks.get() <= WAITERS * 4, "{} looks", looks.get());
    }

    #[test]
    fn the_more_watch_the_less_often_each_looks() {
        assert!(rest(1) >= REST / 2 && rest(1) <= REST * 3 / 2);
        for watchers in [100, 1_000, 100_000] {
            let rest = rest(usize::try_from(watchers).unwrap());
            assert!(rest >= REST_PER_WATCHER * watchers / 2, "{watchers} watchers look every {rest:?}");
        }
    }
}
