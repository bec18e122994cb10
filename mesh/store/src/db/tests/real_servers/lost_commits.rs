//! A connection that is lost at COMMIT: before the server has it, or before its answer is back. Neither is known, so neither is said.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Real, on_both};
use crate::db::tests::*;

on_both!(shared:
    a_connection_that_is_lost_at_its_commit_has_an_unknown_outcome,
    a_transaction_that_is_dropped_anywhere_leaves_no_connection_inside_it,
);

/// A caller may be gone at any point, BEGIN's round trip among them. What others write over the same connections is seen by everybody.
async fn a_transaction_that_is_dropped_anywhere_leaves_no_connection_inside_it(real: &Real) {
    let name = "dropped_anywhere";
    let seen = real.database(name).await;
    let database = Database::connect(&real.url(name), 2).await.unwrap();
    for polls in 0..24 {
        let mut write = Box::pin(database.transact("dropped", |tx| async move { Ok(count_up(&tx, 1).await?) }));
        for _ in 0..polls {
            if futures::poll!(write.as_mut()).is_ready() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_micros(300)).await;
        }
        drop(write);
        // Both connections, one after the other.
        for _ in 0..2 {
            let up = "UPDATE counter SET n = n + 1 WHERE id = 2";
            database.read().execute_unprepared(up).await.unwrap();
        }
        assert_eq!(counters(&seen).await[1], 2 * (polls + 1), "after {polls} polls");
    }
}

/// What becomes of a COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loses {
    /// The server never gets it.
    Request,
    /// The server gets it, and its answer goes nowhere.
    Answer,
}

/// Stands between a client and `server`, and ends a connection at its first COMMIT.
async fn between(server: u16, loses: Loses) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(pass_on(client, TcpStream::connect(("127.0.0.1", server)).await.unwrap(), loses));
        }
    });
    port
}

async fn pass_on(mut client: TcpStream, mut server: TcpStream, loses: Loses) {
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let sent = &asked[..length];
                // As the two drivers send it; an isolation level is named after it.
                if sent.ends_with(b"COMMIT") || sent.ends_with(b"COMMIT\0") {
                    if loses == Loses::Answer {
                        server.write_all(sent).await.unwrap();
                        // The server has done it once it has answered.
                        let answer = server.read(&mut answered).await.unwrap();
                        assert!(answer > 0, "the server answers");
                    }
                    return;
                }
                server.write_all(sent).await.unwrap();
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn a_connection_that_is_lost_at_its_commit_has_an_unknown_outcome(real: &Real) {
    let name = "lost_at_commit";
    let database = real.database(name).await;
    for (loses, counted) in [(Loses::Request, 0), (Loses::Answer, 1)] {
        let mut url = url::Url::parse(&real.url(name)).unwrap();
        url.set_port(Some(between(url.port().unwrap(), loses).await)).unwrap();
        let through = Database::connect(url.as_str(), 2).await.unwrap();
        let outcome = through.transact("lost", |tx| async move { Ok(count_up(&tx, 1).await?) }).await;
        assert!(matches!(outcome, Err(Error::Store(StoreError::CommitUnknown(_)))), "{loses:?}: {outcome:?}");
        assert_eq!(eventually_first(&database, counted).await, counted, "{loses:?}");
    }
}

/// The first counter, once the server has ended what a lost connection had left open.
async fn eventually_first(database: &Database, wanted: i32) -> i32 {
    let mut first = counters(database).await[0];
    for _ in 0..100 {
        if first == wanted {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        first = counters(database).await[0];
    }
    first
}
