//! The provider at its own desk.

mod api;
mod budget;
mod tokens;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mesh::{Clock, Database, Error, Reason, Refusal, money::Money};
use servers::engine::FreshDatabase;
use tonic::Status;

use crate::{
    Settings,
    app::App,
    audit::{self, AuditedCharge},
    domain::charge::{Charge, Refund, State},
};

struct Bench {
    app: Arc<App>,
    clock: Clock,
    database: Database,
    kept: FreshDatabase,
}

fn now() -> Timestamp {
    "2027-04-01T00:00:00Z".parse().expect("instant")
}

fn won(minor: i64) -> Money {
    Money::new(minor, "KRW").expect("money")
}

async fn bench() -> Bench {
    Bench::at(FreshDatabase::new().await.expect("a database"), Clock::manual(now())).await
}

fn reason(status: &Status) -> Option<Reason> {
    Refusal::from_status(status).map(|refusal| refusal.reason)
}

fn reason_of<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Reason {
    match outcome.expect_err("a refusal") {
        Error::Refused(refusal) => refusal.reason,
        other => panic!("no refusal: {other:?}"),
    }
}

impl Bench {
    async fn at(kept: FreshDatabase, clock: Clock) -> Self {
        let database = Database::connect(kept.url(), 4).await.expect("a connection");
        crate::DESCRIPTOR.schema.migrate(&database).await.expect("migrated");
        let app = App::new(database.clone(), clock.clone(), Settings::default());
        Self { app, clock, database, kept }
    }

    /// The process is killed and started again: only the database and the time go on.
    async fn restart(self) -> Self {
        let Self { app, clock, database, kept } = self;
        drop(app);
        database.close().await;
        Self::at(kept, clock).await
    }

    async fn charge(&self, id: &str, token: &str) -> Result<Charge, Status> {
        self.app.charge(id, won(1_000), token).await
    }

    /// A caller who hangs up as soon as the provider has committed the charge.
    async fn hangs_up(&self, id: &str, token: &str) {
        let mut commits = self.database.commits();
        commits.mark_unchanged();
        tokio::select! {
            answer = self.charge(id, token) => panic!("{token} was answered: {answer:?}"),
            committed = commits.changed() => committed.expect("open"),
        }
    }

    /// The same for a refund.
    async fn hangs_up_on_refund(&self, charge: &str, id: &str, minor: i64) {
        let mut commits = self.database.commits();
        commits.mark_unchanged();
        tokio::select! {
            answer = self.refund(charge, id, minor) => panic!("the refund was answered: {answer:?}"),
            committed = commits.changed() => committed.expect("open"),
        }
    }

    async fn refund(&self, charge: &str, id: &str, minor: i64) -> Result<Refund, Status> {
        self.app.refund(charge, id, won(minor)).await
    }

    async fn state(&self, id: &str) -> State {
        self.app.get(id).await.expect("a charge").state
    }

    /// Lets so much time pass, with the loop at work at its end.
    async fn pass(&self, time: SignedDuration) {
        self.clock.advance(time);
        self.app.carry_out_due().await.expect("database");
    }

    async fn audited(&self, id: &str) -> AuditedCharge {
        let charges = audit::charges(&self.database).await.expect("database");
        charges.into_iter().find(|audited| audited.charge.id == id).expect("a charge")
    }

    /// How often money was taken, and how much went back.
    async fn moved(&self, id: &str) -> (u32, i64) {
        let audited = self.audited(id).await;
        (audited.times_taken, audited.given_back_minor)
    }
}
