//! Following something over a server stream: its state at once, then every change, from a position that a dropped stream is taken
//! up from again.
//!
//! A watch reads the database; a commit of this process wakes it, and for those of other processes it looks twice a second.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{background::Background, db::Database, error::{Error, Reason, Refusal}};

/// How often a watch looks without being woken.
const POLL: Duration = Duration::from_millis(500);
/// How soon after one look the next may follow: a busy database wakes its watchers with every commit.
const REST: Duration = Duration::from_millis(25);
/// How many messages wait for a slow reader before the watch waits with it.
const BUFFERED: usize = 16;

/// A server stream of `T`.
pub type Following<T> = ReceiverStream<Result<T, Status>>;

/// Calls `look` at once and after every commit, and sends what it finds, until the reader leaves, `look` fails or the process
/// stops (then with DRAINING, so that the reader goes on elsewhere). `look` is given the position that it returned last.
pub fn follow<T, P, F, Fut>(database: &Database, background: &Background, mut look: F) -> Following<T>
where
    T: Send + 'static,
    P: Clone + Send + 'static,
    F: FnMut(Option<P>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<(Option<P>, Vec<T>), Error>> + Send,
{
    let (sender, receiver) = mpsc::channel(BUFFERED);
    let (mut commits, background) = (database.commits(), background.clone());
    // Not a detached checkout: nothing is lost when it is dropped, and a drain must not wait for its reader.
    tokio::spawn(async move {
        let mut position = None;
        loop {
            commits.mark_unchanged();
            match look(position.clone()).await {
                Ok((reached, found)) => {
                    position = reached;
                    for item in found {
                        if sender.send(Ok(item)).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    let _reader_may_be_gone = sender.send(Err(error.into())).await;
                    return;
                }
            }
            if background.is_draining() {
                let stopping = Refusal::new(Reason::Draining, "this server is stopping").hint("go on from the last position");
                let _reader_may_be_gone = sender.send(Err(stopping.into())).await;
                return;
            }
            tokio::select! {
                () = sender.closed() => return,
                () = tokio::time::sleep(REST) => {}
            }
            tokio::select! {
                () = sender.closed() => return,
                _ = commits.changed() => {}
                () = tokio::time::sleep(POLL - REST) => {}
            }
        }
    });
    ReceiverStream::new(receiver)
}
