//! A caller who is gone while BEGIN is on its way: the server has carried it out, and the driver does not know it yet.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};

use super::{Real, on_both};
use crate::db::tests::*;

on_both!(shared: a_caller_who_is_gone_before_begin_is_answered_leaves_no_connection_inside_a_transaction);

async fn a_caller_who_is_gone_before_begin_is_answered_leaves_no_connection_inside_a_transaction(real: &Real) {
    let name = "dropped_begin";
    let seen = real.database(name).await;
    let (holds, begun) = (watch::Sender::new(false), Arc::new(Notify::new()));
    let mut url = url::Url::parse(&real.url(name)).unwrap();
    let between = Between { server: url.port().unwrap(), holds: holds.subscribe(), begun: begun.clone() };
    url.set_port(Some(between.of().await)).unwrap();
    let through = Database::connect(url.as_str(), 2).await.unwrap();
    // One of the two connections is somebody else's, so that who begins next has the other one.
    let other = through.for_migrations().begin_with_options(TransactionOptions::default()).await.unwrap();
    holds.send_replace(true);
    let caller = {
        let through = through.clone();
        tokio::spawn(async move { through.transact("gone", |tx| async move { Ok(count_up(&tx, 1).await?) }).await })
    };
    begun.notified().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    holds.send_replace(false);
    through.read().execute_unprepared("UPDATE counter SET n = n + 1 WHERE id = 2").await.unwrap();
    assert_eq!(counters(&seen).await, [0, 1], "what the next one writes over that connection is seen by others");
    other.rollback().await.unwrap();
}

/// What stands between a client and a server. As long as it holds, the answer to a BEGIN stays away; that the server has given it is
/// notified.
#[derive(Clone)]
struct Between {
    server: u16,
    holds: watch::Receiver<bool>,
    begun: Arc<Notify>,
}

impl Between {
    /// Between the server and clients who connect to the port.
    async fn of(self) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", self.server)).await.unwrap();
                tokio::spawn(self.clone().pass_on(client, server));
            }
        });
        port
    }

    async fn pass_on(mut self, mut client: TcpStream, mut server: TcpStream) {
        let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let Ok(length @ 1..) = read else { return };
                    let sent = &asked[..length];
                    server.write_all(sent).await.unwrap();
                    // As the two drivers send it.
                    if sent.strip_suffix(b"\0").unwrap_or(sent).ends_with(b"BEGIN") && *self.holds.borrow() {
                        let length = server.read(&mut answered).await.unwrap();
                        self.begun.notify_one();
                        self.holds.wait_for(|holds| !holds).await.unwrap();
                        client.write_all(&answered[..length]).await.unwrap();
                    }
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
}
