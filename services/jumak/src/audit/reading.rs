//! All the books at one moment.

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use mesh::{
    Clock, Database, Event,
    bus::embedded::backlog::{Backlog, backlogs},
    clock::from_micros,
    config::Config,
    store::entity::{incarnation, outbox, request},
};
use mypage::audit::BookingRow;
use payment::{
    audit::Balance,
    domain::{payment::Payment, refund::Refund},
};
use provider::audit::AuditedCharge;
use reservation::audit::{Entry, NightRow};
use room::audit::StayRow;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::{
    backup::Writers,
    embedded::{DataFolder, Member},
};

/// How many events are read at a time.
const PAGE: u64 = 1_000;

/// What every context, the provider and the bus have written down.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The moment by which it is judged whether something is late: now if a system is running; otherwise the last thing that happened,
    /// for a house that is closed is late with nothing.
    pub time: Timestamp,
    /// How late something may be before it counts as stuck.
    pub grace: SignedDuration,
    /// Reservation's reservations.
    pub reservations: Vec<Entry>,
    /// Reservation's allocation of room-nights.
    pub nights: Vec<NightRow>,
    /// The stays in room's calendar.
    pub stays: Vec<StayRow>,
    /// Payment's payments.
    pub payments: Vec<Payment>,
    /// Payment's refunds and reversals.
    pub refunds: Vec<Refund>,
    /// What stands on the accounts of payment's ledger.
    pub balances: Vec<Balance>,
    /// The ledger's transactions that do not balance.
    pub unbalanced: Vec<Uuid>,
    /// The provider's charges.
    pub charges: Vec<AuditedCharge>,
    /// My page's bookings; none if it was never there.
    pub bookings: Option<Vec<BookingRow>>,
    /// The events in all outboxes.
    pub events: Vec<Told>,
    /// The requests, in all contexts, that have no answer.
    pub open_requests: Vec<OpenRequest>,
    /// How far behind each consumer is.
    pub backlogs: Vec<Backlog>,
}

/// An event in an outbox, without what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whose outbox it is in.
    pub context: &'static str,
    /// What happened.
    pub kind: String,
    /// To which resource.
    pub subject: String,
    /// Its version after it.
    pub sequence: i64,
    /// When.
    pub occur_time: Timestamp,
    /// For which business case.
    pub correlation_id: String,
    /// Whether the bus has it.
    pub is_published: bool,
}

/// A request without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// To which context.
    pub context: &'static str,
    /// Who asked.
    pub principal: String,
    /// For what.
    pub method: String,
    /// Under which id.
    pub request_id: String,
    /// Which case it waits for.
    pub case: Option<String>,
    /// Which payment attempt of that case.
    pub attempt: u32,
}

/// Reads the books in `folder`, and those that `config` says are elsewhere. Those in the folder are read as they are at one moment.
pub async fn read(folder: &DataFolder, config: &Config, grace: SignedDuration) -> anyhow::Result<Reading> {
    let live = folder.is_locked()?;
    let books = Books::open(folder, config, live).await?;
    let reading = books.read(live, grace).await;
    books.close().await;
    reading
}

/// The databases of all contexts and of the bus.
struct Books {
    contexts: Vec<(Member, Database)>,
    bus: Database,
}

impl Books {
    async fn open(folder: &DataFolder, config: &Config, live: bool) -> anyhow::Result<Self> {
        if !folder.bus_file().exists() {
            bail!("there is no data folder of jumak at {}; name one with --data", folder.path().display());
        }
        let (mut files, mut ours, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
        for member in Member::ALL {
            let file = folder.database_file(member.name());
            let database = match config.database_url(member.name()) {
                Some(url) => Database::connect(url, 1).await,
                // The one that a house can do without.
                None if member == Member::Mypage && !file.exists() => continue,
                None => Database::open_file_to_read(&file, 1).await,
            };
            let database = database.with_context(|| format!("the database of {member} cannot be read"))?;
            if config.database_url(member.name()).is_none() {
                files.push(file);
                ours.push(database.clone());
            }
            contexts.push((member, database));
        }
        let bus = Database::open_file_to_read(&folder.bus_file(), 1).await.context("the bus cannot be read")?;
        files.push(folder.bus_file());
        ours.push(bus.clone());

        // Nobody writes in a house that is closed, and what is not written to need not be writable.
        let writers = if live { Some(Writers::stop(&files).await?) } else { None };
        for database in &ours {
            hold_still(database).await?;
        }
        if let Some(writers) = writers {
            writers.go_on().await?;
        }
        Ok(Self { contexts, bus })
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
            None => bail!("there are no books of {member}"),
        }
    }

    async fn read(&self, live: bool, grace: SignedDuration) -> anyhow::Result<Reading> {
        let (provider, payment) = (self.of(Member::Provider)?, self.of(Member::Payment)?);
        let reservation = self.of(Member::Reservation)?;
        let bookings = match self.of(Member::Mypage) {
            Ok(mypage) => Some(mypage::audit::bookings(mypage).await?),
            Err(_) => None,
        };
        let (mut events, mut open_requests) = (Vec::new(), Vec::new());
        for (member, database) in &self.contexts {
            events.extend(told(member.name(), database).await?);
            open_requests.extend(unanswered(member.name(), database).await?);
        }
        let mut reading = Reading {
            time: Clock::system().now(),
            grace,
            reservations: reservation::audit::reservations(reservation).await?,
            nights: reservation::audit::nights(reservation).await?,
            stays: room::audit::stays(self.of(Member::Room)?).await?,
            payments: payment::audit::payments(payment).await?,
            refunds: payment::audit::refunds(payment).await?,
            balances: payment::audit::balances(payment).await?,
            unbalanced: payment::audit::unbalanced(payment).await?,
            charges: provider::audit::charges(provider).await?,
            bookings,
            events,
            open_requests,
            backlogs: self.backlogs().await?,
        };
        if !live {
            reading.time = reading.last_change().unwrap_or(reading.time);
        }
        Ok(reading)
    }

    /// The backlogs of those consumers that will ever hear again: a projection that was thrown away has left one behind.
    async fn backlogs(&self) -> anyhow::Result<Vec<Backlog>> {
        let mut names = Vec::new();
        for (member, database) in &self.contexts {
            names.push(member.name().to_owned());
            if let Some(row) = incarnation::Entity::find_by_id(1).one(database.read()).await? {
                names.push(format!("{member}-{}", row.incarnation.simple()));
            }
        }
        let all = backlogs(&self.bus).await?;
        Ok(all.into_iter().filter(|backlog| names.contains(&backlog.consumer)).collect())
    }
}

impl Reading {
    fn last_change(&self) -> Option<Timestamp> {
        let reservations = self.reservations.iter().map(|entry| from_micros(entry.update_micros));
        let payments = self.payments.iter().map(|payment| payment.update_time);
        let refunds = self.refunds.iter().map(|refund| refund.update_time);
        let charges = self.charges.iter().map(|audited| audited.charge.create_time);
        let events = self.events.iter().map(|told| told.occur_time);
        reservations.chain(payments).chain(refunds).chain(charges).chain(events).max()
    }
}

/// Lets a database that has one connection see from here on what it sees now: its transaction is never ended.
async fn hold_still(database: &Database) -> anyhow::Result<()> {
    database.read().execute_unprepared("BEGIN").await?;
    database.read().execute_unprepared("SELECT 1 FROM sqlite_schema LIMIT 1").await?;
    Ok(())
}

async fn told(context: &'static str, database: &Database) -> anyhow::Result<Vec<Told>> {
    use outbox::Column;
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let mut query = outbox::Entity::find().order_by_asc(Column::Id).limit(PAGE);
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after));
        }
        let page =
            query.all(database.read()).await.with_context(|| format!("the outbox of {context} cannot be read"))?;
        let Some(last) = page.last() else { return Ok(events) };
        after = Some(last.id);
        events.extend(page.into_iter().map(|row| {
            let is_published = row.publish_time.is_some();
            let sequence = row.sequence;
            let Event { kind, subject, time, correlation_id, .. } = row.into();
            Told { context, kind, subject, sequence, occur_time: time, correlation_id, is_published }
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
