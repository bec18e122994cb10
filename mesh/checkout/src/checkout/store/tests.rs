//! The lifecycle's columns in a table that has one column more.

use async_trait::async_trait;
use mesh_foundation::{call::Actor, error::Reason, event::Event, money::Money};
use mesh_store::store::{Schema, Tables, table_of};
use sea_orm::ActiveValue::Set;
use servers::engine::FreshDatabase;
use tonic::Code;

use super::*;
use crate::checkout::{By, Cancellation, Cause, Closing, Fact, Mode, PaymentAction, Record, Standing, Terms};

#[allow(unreachable_pub, reason = "sea-orm makes items of an entity public")]
mod crate_of_eggs {
    crate::case_table! {
        "eggs" {
            #[sea_orm(column_type = "String(StringLen::N(10))")]
            pub colour: String,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Eggs {
    record: Record,
    colour: String,
}

impl Case for Eggs {
    fn record(&self) -> &Record {
        &self.record
    }

    fn record_mut(&mut self) -> &mut Record {
        &mut self.record
    }

    fn refund_at(&self, _now: Timestamp) -> Money {
        self.record.total
    }

    fn may_be_no_show(&self, _now: Timestamp) -> bool {
        false
    }

    fn closing(&self, _by: By, _now: Timestamp) -> Closing {
        Closing::Open
    }
}

struct Market;

#[async_trait]
impl Cases for Market {
    type Case = Eggs;
    type Table = crate_of_eggs::Entity;

    const CONTEXT: &'static str = "market";
    const COLLECTION: &'static str = "eggs";
    const WORD: &'static str = "egg";
    const NOT_FOUND: Reason = Reason::new("STAY_NOT_FOUND", Code::NotFound);
    const LIST: &'static str = "ListEggs";

    fn to_row(case: &Eggs) -> Result<crate_of_eggs::ActiveModel, Error> {
        Ok(crate_of_eggs::ActiveModel { colour: Set(case.colour.clone()), ..Default::default() })
    }

    fn from_row(row: crate_of_eggs::Model, record: Record) -> Result<Eggs, Error> {
        Ok(Eggs { record, colour: row.colour })
    }

    fn take(&self, _case: &Eggs) -> Vec<Step> {
        Vec::new()
    }

    async fn still_stands(&self, _tx: &Tx, _case: &Eggs) -> Result<bool, Error> {
        Ok(true)
    }

    async fn make_ready(&self, _tx: &Tx, _case: &Eggs) -> Result<(), Error> {
        Ok(())
    }

    fn give_back(&self, _case: &Eggs) -> Vec<Step> {
        Vec::new()
    }

    fn event(&self, _case: &Eggs, fact: Fact, _actor: &Actor) -> Result<Event, Error> {
        panic!("nothing is told of {fact:?} here")
    }

    fn answer(&self, _case: &Eggs) -> Vec<u8> {
        Vec::new()
    }
}

const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES)]);

const TABLES: Tables = Tables {
    name: "m0001_eggs",
    tables: &[table_of::<crate_of_eggs::Entity>, table_of::<payer::Entity>],
    indices: &[],
};

async fn database(kept: &FreshDatabase) -> Database {
    let database = Database::connect(kept.url(), 4).await.unwrap();
    SCHEMA.migrate(&database).await.unwrap();
    database
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn fresh(id: u128) -> Eggs {
    let terms = Terms {
        collection: Market::COLLECTION,
        id: Uuid::from_u128(id),
        mode: Mode::Hold,
        correlation_id: "case".to_owned(),
        payer: "users/cook".to_owned(),
        payee: "users/farmer".to_owned(),
        total: Money::new(3_500, "KRW").unwrap(),
        earn_time: at(9),
    };
    Eggs { record: Record::begin(terms, at(0)), colour: "brown".to_owned() }
}

/// A case of which everything is known that can be, each thing different.
fn full(id: u128) -> Eggs {
    let mut eggs = fresh(id);
    eggs.record = Record {
        version: 7,
        standing: Standing {
            state: State::CancelRequested,
            mode: Mode::AllOrNothing,
            attempt: 3,
            attempt_open: true,
            calls: 2,
            paid: true,
            cancel_asked: true,
        },
        hold_expire_time: at(1),
        next_attempt_time: Some(at(2)),
        sweeps: 4,
        payment_label: Some("visa 4242".to_owned()),
        pay_time: Some(at(3)),
        payment_action: Some(PaymentAction { uri: "https://bank.example".to_owned(), expire_time: Some(at(4)) }),
        reject_reason: Some("expired".to_owned()),
        refund_failure_reason: Some("closed".to_owned()),
        cancellation: Some(Cancellation { party: By::Host, cause: Cause::SoldOut }),
        cancel_reason: Some("broken".to_owned()),
        refund_amount: Some(Money::new(3_000, "KRW").unwrap()),
        confirm_time: Some(at(5)),
        cancel_time: Some(at(6)),
        orphans: 6,
        create_time: at(7),
        update_time: at(8),
        ..eggs.record
    };
    eggs
}

async fn add(database: &Database, eggs: &Eggs) -> Result<(), Error> {
    database.transact("insert", |tx| async move { tx.expect(insert::<Market>(eggs, 10)?).await }).await
}

async fn stored(database: &Database, eggs: &Eggs) -> Eggs {
    find::<Market>(database.read(), &eggs.record.name, &Scope::All).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_case_reads_back_as_it_was_written() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = database(&kept).await;
    for eggs in [fresh(1), full(2)] {
        add(&database, &eggs).await.unwrap();
        assert_eq!(stored(&database, &eggs).await, eggs);
    }
    // And everything is written over, what has become absent too.
    for (eggs, before) in [(full(1), fresh(1)), (fresh(2), full(2))] {
        let from = (before.record.version, before.record.state());
        let eggs = &eggs;
        database.transact("update", |tx| async move { tx.expect(update::<Market>(from, eggs)?).await }).await.unwrap();
        assert_eq!(stored(&database, eggs).await, *eggs);
    }
}

#[tokio::test]
async fn rule_t_a_transition_from_what_no_longer_stands_is_lost() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = database(&kept).await;
    let before = fresh(1);
    add(&database, &before).await.unwrap();
    let mut after = before.clone();
    after.record.version = 2;
    let (first, after) = ((1, State::Pending), &after);
    for (from, lost) in [((2, State::Pending), true), ((1, State::Confirmed), true), (first, false), (first, true)] {
        let updated = database.transact("update", |tx| async move {
            match tx.expect(update::<Market>(from, after)?).await {
                Err(Error::Lost) => Ok(true),
                other => other.map(|()| false),
            }
        });
        assert_eq!(updated.await.unwrap(), lost, "{from:?}");
        let stands = if from == first { after } else { &before };
        assert_eq!(stored(&database, after).await, *stands);
    }
}

#[tokio::test]
async fn a_case_is_found_by_its_parties_alone() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = database(&kept).await;
    let eggs = fresh(1);
    add(&database, &eggs).await.unwrap();
    let user = |name: &str| format!("users/{name}");
    for (scope, found) in [
        (Scope::All, true),
        (Scope::Payer(user("cook")), true),
        (Scope::Payer(user("farmer")), false),
        (Scope::Party(user("cook")), true),
        (Scope::Party(user("farmer")), true),
        (Scope::Party(user("neighbour")), false),
    ] {
        let case = find::<Market>(database.read(), &eggs.record.name, &scope).await.unwrap();
        assert_eq!(case.is_some(), found, "{scope:?}");
    }
}

#[tokio::test]
async fn a_name_that_is_none_is_that_of_no_case() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = database(&kept).await;
    for name in ["eggs", "eggs/1", "reservations/00000000-0000-0000-0000-000000000001"] {
        let found = find::<Market>(database.read(), name, &Scope::All).await;
        let Err(Error::Refused(refusal)) = found else { panic!("{name}: {found:?}") };
        assert_eq!(refusal.reason, Market::NOT_FOUND);
        assert_eq!(refusal.metadata.get("egg").map(String::as_str), Some(name));
        assert_eq!(refusal.message, format!("there is no {name} among your eggs; ListEggs lists yours"));
    }
}

#[tokio::test]
async fn a_row_that_does_not_read_back_is_told_by_name_and_column() {
    let kept = FreshDatabase::new().await.unwrap();
    let database = database(&kept).await;
    let eggs = fresh(1);
    add(&database, &eggs).await.unwrap();
    let table = crate_of_eggs::Entity::update_many;
    type Column = crate_of_eggs::Column;
    for (column, wrong, what) in [
        (Column::State, Expr::value("BOILED"), "state"),
        (Column::Currency, Expr::value("won"), "currency"),
        (Column::Calls, Expr::value(-1), "calls"),
    ] {
        table().col_expr(column, wrong).exec(database.for_migrations()).await.unwrap();
        let error = find::<Market>(database.read(), &eggs.record.name, &Scope::All).await.unwrap_err();
        let told = format!("{} is stored with a {what} that does not read back", eggs.record.name);
        assert!(error.to_string().contains(&told), "{error}");
        table().set(row_of::<Market>(&eggs).unwrap()).exec(database.for_migrations()).await.unwrap();
        assert_eq!(stored(&database, &eggs).await, eggs);
    }
}

#[tokio::test]
async fn a_number_that_no_column_holds_is_not_cut_down_to_one_that_it_does() {
    let mut eggs = fresh(1);
    eggs.record.sweeps = u32::MAX;
    let error = row_of::<Market>(&eggs).unwrap_err().to_string();
    assert!(error.contains("sweeps of eggs is too large"), "{error}");
}
