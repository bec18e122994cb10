//! Reads all books at one moment.

use std::collections::HashSet;

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use mesh::{
    Clock, Database, Event,
    bus::embedded::backlog::Backlog,
    checkout::CaseEntry,
    clock::from_micros,
    config::Config,
    context::{CaseOwner, Subscription},
    db::Engine,
    store::{
        entity::{incarnation, outbox, request},
        version,
    },
    task_reports,
};
use mypage::audit::BookingRow;
use payment::{
    audit::Balance,
    domain::{payment::Payment, refund::Refund},
};
use provider::audit::AuditedCharge;
use reservation::audit::{NightRow, Reserved, RoomRow as KnownRoom};
use room::audit::{BlockedRow, Heard, Room};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    bus::{BusReader, is_live},
    tasks::ReportedTask,
};
use crate::{
    backup::Writers,
    house::{DataFolder, Member},
};

/// How many events one query reads.
const PAGE: u64 = 1_000;

/// The records of every context, the provider and the bus.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The time from which lateness is computed: now if a system runs; otherwise the time of the last event, because nothing can be late in
    /// a
    /// stopped system.
    pub time: Timestamp,
    /// How late something may be before it counts as stuck.
    pub grace: SignedDuration,
    /// The contexts that have cases.
    pub owners: Vec<CaseOwner>,
    /// The cases of all these contexts.
    pub cases: Vec<CaseEntry>,
    /// The nights and units that each reservation holds.
    pub reserved: Vec<Reserved>,
    /// Reservation's allocation of room-nights.
    pub nights: Vec<NightRow>,
    /// Reservation's copies of the rooms.
    pub known_rooms: Vec<KnownRoom>,
    /// Room's rooms.
    pub rooms: Vec<Room>,
    /// The units that hosts keep back.
    pub blocked: Vec<BlockedRow>,
    /// The stays in room's calendar.
    pub stays: Vec<Heard>,
    /// Payment's payments.
    pub payments: Vec<Payment>,
    /// Payment's refunds and reversals.
    pub refunds: Vec<Refund>,
    /// The balances of payment's ledger.
    pub balances: Vec<Balance>,
    /// The ledger's transactions that do not balance.
    pub unbalanced: Vec<Uuid>,
    /// The provider's charges.
    pub charges: Vec<AuditedCharge>,
    /// My page; none if that context has never run.
    pub my_page: Option<MyPage>,
    /// The events in all outboxes.
    pub events: Vec<OutboxEvent>,
    /// Events that the bus has, or that a context acknowledged to a caller. Each must be in its context's outbox.
    pub known: Vec<KnownEvent>,
    /// The request records of all contexts that have no answer.
    pub open_requests: Vec<OpenRequest>,
    /// The consumers that must exist.
    pub consumers: Vec<String>,
    /// How far behind each consumer is.
    pub backlogs: Vec<Backlog>,
    /// The background tasks that processes have reported.
    pub tasks: Vec<ReportedTask>,
}

/// The read model of my page.
#[derive(Clone, Debug)]
pub struct MyPage {
    /// The bookings.
    pub bookings: Vec<BookingRow>,
    /// The rooms.
    pub rooms: Vec<mypage::audit::RoomRow>,
    /// The events in the timelines.
    pub heard: HashSet<Uuid>,
}

/// An event in an outbox, without its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEvent {
    /// The event's id.
    pub id: Uuid,
    /// The context whose outbox it is in.
    pub context: &'static str,
    /// The kind of event.
    pub kind: String,
    /// The resource that it is about.
    pub subject: String,
    /// The resource's version after it.
    pub sequence: i64,
    /// When it occurred.
    pub occur_time: Timestamp,
    /// The correlation id of its business case.
    pub correlation_id: String,
    /// Whether the bus has it.
    pub is_published: bool,
}

/// An event that must be in its context's database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownEvent {
    /// The context.
    pub context: &'static str,
    /// The event's id.
    pub id: Uuid,
    /// The evidence that it exists.
    pub by: &'static str,
}

/// A request without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// The context that was called.
    pub context: &'static str,
    /// The caller.
    pub principal: String,
    /// The method.
    pub method: String,
    /// The request id.
    pub request_id: String,
    /// The case that it waits for.
    pub case: Option<String>,
    /// The payment attempt of that case that it waits for.
    pub attempt: u32,
}

/// Reads the databases in `folder`, and those that `config` places elsewhere. All databases in the folder are read as of one moment. Each
/// database elsewhere is read as of a moment of its own.
pub async fn read(folder: &DataFolder, config: &Config, grace: SignedDuration) -> anyhow::Result<Reading> {
    let live = is_live(folder, config)?;
    // Boxed, because the nested futures exceed the compiler's recursion limit.
    let books = Box::pin(Books::open(folder, config, live)).await?;
    let reading = books.read(live, grace).await;
    books.close().await;
    reading
}

/// The databases of all contexts and of the bus.
struct Books {
    contexts: Vec<(Member, Database)>,
    known: Vec<KnownEvent>,
    bus: BusReader,
}

impl Books {
    async fn open(folder: &DataFolder, config: &Config, live: bool) -> anyhow::Result<Self> {
        let bus = BusReader::open(folder, config).await?;
        let (mut files, mut held, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
        let mut known = Vec::new();
        for member in Member::ALL {
            let file = folder.database_file(member.name());
            let database = match config.database_url(member.name()) {
                Some(url) => Database::connect_to_read(url).await,
                None if member.is_optional() && !file.exists() => continue,
                None => Database::open_file_to_read(&file, 1).await,
            };
            let database = database.with_context(|| format!("failed to read the database of {member}"))?;
            let version = version::check(database.read()).await;
            version.with_context(|| format!("failed to read the database of {member}"))?;
            // Read before the database's snapshot, so that the snapshot must contain every event that is known here.
            let context = member.name();
            let acknowledged =
                database.acknowledged().with_context(|| format!("failed to read what {member} has acknowledged"))?;
            let published =
                bus.newest(context).await.with_context(|| format!("failed to read the newest event of {member}"))?;
            known.extend(acknowledged.map(|id| KnownEvent { context, id, by: "it was acknowledged to its caller" }));
            known.extend(published.map(|id| KnownEvent { context, id, by: "the bus has it" }));
            if config.database_url(member.name()).is_none() {
                files.push(file);
            }
            held.push(database.clone());
            contexts.push((member, database));
        }
        if let BusReader::File(database) = &bus {
            files.push(folder.bus_file());
            held.push(database.clone());
        }

        // A stopped system has no writers, so the files may be read-only.
        let writers = if live { Some(Writers::stop(&files).await?) } else { None };
        for database in &held {
            fix_snapshot(database).await?;
        }
        if let Some(writers) = writers {
            writers.resume().await?;
        }
        Ok(Self { contexts, known, bus })
    }

    async fn close(self) {
        for (_, database) in self.contexts {
            database.close().await;
        }
        self.bus.close().await;
    }

    fn of(&self, member: Member) -> anyhow::Result<&Database> {
        match self.contexts.iter().find(|(candidate, _)| *candidate == member) {
            Some((_, database)) => Ok(database),
            None => bail!("there is no database of {member}"),
        }
    }

    async fn read(&self, live: bool, grace: SignedDuration) -> anyhow::Result<Reading> {
        let (provider, payment) = (self.of(Member::PROVIDER)?, self.of(Member::PAYMENT)?);
        let reservation = self.of(Member::RESERVATION)?;
        let room = self.of(Member::ROOM)?;
        let my_page = match self.of(Member::MYPAGE) {
            Ok(mypage) => Some(MyPage {
                bookings: mypage::audit::bookings(mypage).await?,
                rooms: mypage::audit::rooms(mypage).await?,
                heard: mypage::audit::heard(mypage).await?,
            }),
            Err(_) => None,
        };
        let now = Clock::system().now();
        let (mut events, mut open_requests, mut cases, mut tasks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (member, database) in &self.contexts {
            events.extend(outbox_events(member.name(), database).await?);
            if let Some(book) = member.cases {
                cases.extend((book.read)(database.clone()).await?);
            }
            open_requests.extend(unanswered(member.name(), database).await?);
            let reports = task_reports::read(database).await?;
            tasks.extend(reports.into_iter().map(|report| ReportedTask::read(report, live, now)));
        }
        let consumers = self.consumers().await?;
        let mut reading = Reading {
            time: now,
            grace,
            owners: Member::case_owners().to_vec(),
            cases,
            reserved: reservation::audit::reserved(reservation).await?,
            nights: reservation::audit::nights(reservation).await?,
            known_rooms: reservation::audit::rooms(reservation).await?,
            rooms: room::audit::rooms(room).await?,
            blocked: room::audit::blocked(room).await?,
            stays: room::audit::stays(room).await?,
            payments: payment::audit::payments(payment).await?,
            refunds: payment::audit::refunds(payment).await?,
            balances: payment::audit::balances(payment).await?,
            unbalanced: payment::audit::unbalanced(payment).await?,
            charges: provider::audit::charges(provider).await?,
            my_page,
            backlogs: self.bus.backlogs(&consumers, &events).await?,
            events,
            known: self.known.clone(),
            open_requests,
            consumers,
            tasks,
        };
        if !live {
            reading.time = reading.last_change().unwrap_or(reading.time);
        }
        Ok(reading)
    }

    /// The names of the consumers that must exist. A projection's consumer is named after its database's incarnation, so the consumer of a
    /// deleted projection database is not among them.
    async fn consumers(&self) -> anyhow::Result<Vec<String>> {
        let mut names = Vec::new();
        for (member, database) in &self.contexts {
            match member.hears {
                None => {}
                Some(Subscription::Projection) => {
                    // Before the projection's first start there is none.
                    let row = incarnation::Entity::find_by_id(1).one(database.read()).await?;
                    names.extend(row.map(|row| format!("{member}-{}", row.incarnation.simple())));
                }
                Some(Subscription::Once) => names.push(member.name().to_owned()),
            }
        }
        Ok(names)
    }
}

impl Reading {
    fn last_change(&self) -> Option<Timestamp> {
        let cases = self.cases.iter().map(|entry| from_micros(entry.update_micros));
        let payments = self.payments.iter().map(|payment| payment.update_time);
        let refunds = self.refunds.iter().map(|refund| refund.update_time);
        let charges = self.charges.iter().map(|audited| audited.charge.create_time);
        let events = self.events.iter().map(|event| event.occur_time);
        cases.chain(payments).chain(refunds).chain(charges).chain(events).max()
    }
}

/// Fixes the snapshot of a database with one connection: begins a transaction that is never ended.
async fn fix_snapshot(database: &Database) -> anyhow::Result<()> {
    let (begin, look) = match database.engine() {
        Engine::Sqlite => ("BEGIN", "SELECT 1 FROM sqlite_schema LIMIT 1"),
        Engine::Postgres => ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT 1 FROM outbox LIMIT 1"),
        Engine::MySql => {
            ("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT")
        }
    };
    database.read().execute_unprepared(begin).await?;
    database.read().execute_unprepared(look).await?;
    Ok(())
}

async fn outbox_events(context: &'static str, database: &Database) -> anyhow::Result<Vec<OutboxEvent>> {
    use outbox::Column;
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let mut query = outbox::Entity::find().order_by_asc(Column::Id).limit(PAGE);
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after));
        }
        let page =
            query.all(database.read()).await.with_context(|| format!("failed to read the outbox of {context}"))?;
        let Some(last) = page.last() else { return Ok(events) };
        after = Some(last.id);
        events.extend(page.into_iter().map(|row| {
            let is_published = row.publish_time.is_some();
            let sequence = row.sequence;
            let Event { id, kind, subject, time, correlation_id, .. } = row.into();
            OutboxEvent { id, context, kind, subject, sequence, occur_time: time, correlation_id, is_published }
        }));
    }
}

async fn unanswered(context: &'static str, database: &Database) -> anyhow::Result<Vec<OpenRequest>> {
    let rows = request::Entity::find().filter(request::Column::Answer.is_null()).all(database.read()).await?;
    let open = rows.into_iter().map(|row| OpenRequest {
        context,
        principal: row.principal,
        method: row.method,
        request_id: row.request_id,
        case: row.case_name,
        attempt: row.attempt.unsigned_abs(),
    });
    Ok(open.collect())
}

#[cfg(test)]
mod tests {
    use sea_orm::{FromQueryResult, Statement};
    use servers::{Durability, MariaDb, Postgres};

    use super::*;

    #[derive(FromQueryResult)]
    struct Row {
        n: i64,
    }

    async fn rows(database: &Database) -> i64 {
        let backend = database.read().get_database_backend();
        let count = Statement::from_string(backend, "SELECT COUNT(*) AS n FROM outbox");
        Row::find_by_statement(count).one(database.read()).await.unwrap().unwrap().n
    }

    async fn commits_are_not_seen(url: &str) {
        let writer = Database::connect(url, 2).await.unwrap();
        let write = async |sql| writer.for_migrations().execute_unprepared(sql).await.unwrap();
        write("CREATE TABLE outbox (id INTEGER NOT NULL PRIMARY KEY)").await;
        write("INSERT INTO outbox (id) VALUES (1)").await;
        let held = Database::connect_to_read(url).await.unwrap();
        fix_snapshot(&held).await.unwrap();
        assert_eq!(rows(&held).await, 1);
        write("INSERT INTO outbox (id) VALUES (2)").await;
        // Concurrent, so that several connections would be used if there were more than one.
        let seen = futures::future::join_all((0..4).map(|_| rows(&held))).await;
        assert_eq!((seen, rows(&writer).await), (vec![1; 4], 2));
        held.close().await;
        writer.close().await;
    }

    #[tokio::test]
    async fn an_audit_does_not_see_commits_that_happen_during_it_on_postgres() {
        let server = Postgres::start(Durability::Off).await.unwrap();
        server.create_database("held").await.unwrap();
        commits_are_not_seen(&server.url("held")).await;
    }

    #[tokio::test]
    async fn an_audit_does_not_see_commits_that_happen_during_it_on_mariadb() {
        let server = MariaDb::start(Durability::Off).await.unwrap();
        server.create_database("held").await.unwrap();
        commits_are_not_seen(&server.url("held")).await;
    }
}
