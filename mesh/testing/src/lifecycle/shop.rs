//! The smallest context with cases: a shop sells things off one shelf, each thing like the other.

mod elsewhere;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use mesh_checkout::checkout::{
    By, Case, Cases, Closing, Fact, Mode, Record, Reserves, Terms, Told,
    store::{NewRow, Row, intent, payer},
};
use mesh_foundation::{
    call::Actor,
    error::{Error, Reason, Refusal},
    event::{Event, route},
    money::Money,
};
use mesh_store::{
    db::{Database, Step, Tx},
    store::{Schema, Tables, table_of},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use self::elsewhere::Warehouse;
use super::{CaseOf, Moment, Seller};

crate::lifecycle_rules!(Shop);

/// What it sells is brought: whoever brings it decides whether a payer can still cancel.
mod mail_order {
    crate::lifecycle_rules!(judged super::MailOrder);
}

mod reasons {
    mesh_foundation::reasons! {
        ALL;
        PURCHASE_NOT_FOUND: NotFound;
        SHELF_EMPTY: FailedPrecondition;
        WAREHOUSE_UNAVAILABLE: ResourceExhausted;
    }
}

#[allow(unreachable_pub, reason = "sea-orm makes items of an entity public")]
mod shelf {
    use mesh_store::store::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, DeriveActiveModelBehavior)]
    #[sea_orm(table_name = "shelf")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub things: i32,
    }
}

#[allow(unreachable_pub, reason = "sea-orm makes items of an entity public")]
mod purchase {
    mesh_checkout::case_table! {
        "purchase" {
            /// How often the thing was handed over: once, or not yet.
            pub handed_over: i32,
        }
    }
}

const SCHEMA: Schema = Schema::new(|| vec![Box::new(TABLES)]);

const TABLES: Tables = Tables {
    name: "m0001_shop",
    tables: &[
        table_of::<purchase::Entity>,
        table_of::<shelf::Entity>,
        table_of::<payer::Entity>,
        table_of::<intent::Entity>,
    ],
    indices: &[intent::DUE],
};

#[derive(Clone, Debug, PartialEq)]
struct Purchase {
    record: Record,
    handed_over: bool,
}

impl Case for Purchase {
    fn record(&self) -> &Record {
        &self.record
    }

    fn record_mut(&mut self) -> &mut Record {
        &mut self.record
    }

    /// Everything on the first day, and nothing from then on.
    fn refund_at(&self, now: Timestamp) -> Money {
        let first_day = now < self.record.create_time + SignedDuration::from_hours(24);
        if first_day { self.record.total } else { self.record.total.zero() }
    }

    /// A thing is sent to its payer.
    fn may_be_no_show(&self, _now: Timestamp) -> bool {
        false
    }

    fn closing(&self, by: By, now: Timestamp) -> Closing {
        let until = self.record.earn_time;
        match by {
            By::Agent => Closing::Open,
            _ if now >= until => Closing::Closed(until),
            By::Guest if self.record.payee == MAIL_ORDER => Closing::Ask,
            _ => Closing::Open,
        }
    }
}

/// The purchases of a shop that has a shelf, or whose things are in a warehouse that another context runs.
#[derive(Default)]
struct Purchases(Option<Arc<Warehouse>>);

#[async_trait]
impl Cases for Purchases {
    type Case = Purchase;
    type Table = purchase::Entity;

    const CONTEXT: &'static str = "shop";
    const COLLECTION: &'static str = "purchases";
    const WORD: &'static str = "purchase";
    const NOT_FOUND: Reason = reasons::PURCHASE_NOT_FOUND;
    const LIST: &'static str = "ListPurchases";

    fn to_row(case: &Purchase) -> Result<NewRow<Self>, Error> {
        Ok(purchase::ActiveModel { handed_over: Set(case.handed_over.into()), ..Default::default() })
    }

    fn from_row(row: Row<Self>, record: Record) -> Result<Purchase, Error> {
        Ok(Purchase { record, handed_over: row.handed_over > 0 })
    }

    fn reserves(&self) -> Option<&dyn Reserves<Purchase>> {
        self.0.as_ref().map(|warehouse| &**warehouse as &dyn Reserves<Purchase>)
    }

    fn take(&self, _case: &Purchase) -> Vec<Step> {
        if self.0.is_some() {
            return Vec::new();
        }
        let update = shelf::Entity::update_many()
            .col_expr(shelf::Column::Things, Expr::col(shelf::Column::Things).sub(1))
            .filter(shelf::Column::Things.gt(0));
        vec![Step::from(update)]
    }

    /// A thing costs what it costs.
    async fn still_stands(&self, _tx: &Tx, _case: &Purchase) -> Result<bool, Error> {
        Ok(true)
    }

    async fn make_ready(&self, tx: &Tx, _case: &Purchase) -> Result<(), Error> {
        if self.0.is_some() {
            return Ok(());
        }
        match shelf::Entity::find().filter(shelf::Column::Things.gt(0)).one(&**tx).await? {
            Some(_) => Ok(()),
            None => Err(Refusal::new(Shop::SOLD_OUT, "the shelf is empty").into()),
        }
    }

    fn give_back(&self, _case: &Purchase) -> Vec<Step> {
        if self.0.is_some() {
            return Vec::new();
        }
        let things = Expr::col(shelf::Column::Things).add(1);
        vec![Step::from(shelf::Entity::update_many().col_expr(shelf::Column::Things, things))]
    }

    fn event(&self, case: &Purchase, fact: Fact, actor: &Actor) -> Result<Event, Error> {
        let what = match fact {
            Fact::Held => "PurchaseHeld",
            Fact::Confirmed => "PurchaseConfirmed",
            Fact::Rejected => "PurchaseRejected",
            Fact::Expired => "PurchaseExpired",
            Fact::CancelAsked => "PurchaseCancelAsked",
            Fact::CancelRefused => "PurchaseCancelRefused",
            Fact::CancelRequested => "PurchaseCancelRequested",
            Fact::Cancelled => "PurchaseCancelled",
            Fact::RefundRequested(_) => "PurchaseRefundRequested",
        };
        Ok(event(case, what, actor))
    }

    fn answer(&self, case: &Purchase) -> Vec<u8> {
        format!("{case:?}").into_bytes()
    }
}

fn event(case: &Purchase, what: &str, actor: &Actor) -> Event {
    Event {
        id: Uuid::now_v7(),
        kind: format!("jumak.shop.v1.{what}"),
        source: Purchases::CONTEXT.to_owned(),
        subject: case.record.name.clone(),
        route: route(Purchases::CONTEXT, "purchase", what),
        time: case.record.update_time,
        correlation_id: actor.correlation_id.clone(),
        causation_id: actor.causation_id.clone(),
        actor: actor.actor.clone(),
        sequence: case.record.version.unsigned_abs(),
        traceparent: None,
        data: Vec::new(),
    }
}

fn terms(payer: &str, payee: &str) -> Terms {
    Terms {
        collection: Purchases::COLLECTION,
        id: Uuid::now_v7(),
        mode: Mode::Hold,
        correlation_id: "case".to_owned(),
        payer: payer.to_owned(),
        payee: payee.to_owned(),
        total: Money::new(3_500, "KRW").unwrap(),
        // The shop closes down on its tenth day.
        earn_time: Shop::begin() + SignedDuration::from_hours(240),
    }
}

/// A shop, by who is paid.
struct Shop(&'static str);

const KEEPER: &str = "users/keeper";
const MAIL_ORDER: &str = "users/mail-order";

#[async_trait]
impl Seller for Shop {
    type Cases = Purchases;

    const SCHEMA: Schema = SCHEMA;
    const SOLD_OUT: Reason = reasons::SHELF_EMPTY;
    const NEVER: &'static [Moment] = &[Moment::NoShow];

    fn begin() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    async fn open(database: &Database, units: u32) -> Self {
        let things = i32::try_from(units).unwrap();
        let shelf = shelf::ActiveModel { id: Set(1), things: Set(things) };
        shelf::Entity::insert(shelf).exec_without_returning(database.for_migrations()).await.unwrap();
        Self(KEEPER)
    }

    fn cases(_database: &Database) -> Purchases {
        Purchases::default()
    }

    async fn case(&self, _database: &Database, payer: &str, now: Timestamp) -> CaseOf<Self> {
        Purchase { record: Record::begin(terms(payer, self.0), now), handed_over: false }
    }

    async fn free(&self, database: &Database) -> u32 {
        let shelf = shelf::Entity::find_by_id(1).one(database.read()).await.unwrap().unwrap();
        u32::try_from(shelf.things).unwrap()
    }

    fn step(case: &mut Purchase) -> Result<Option<Told<Purchase>>, Error> {
        if case.handed_over {
            return Ok(None);
        }
        case.handed_over = true;
        Ok(Some(|case, actor| event(case, "PurchaseHandedOver", actor)))
    }
}

struct MailOrder(Shop);

#[async_trait]
impl Seller for MailOrder {
    type Cases = Purchases;

    const SCHEMA: Schema = SCHEMA;
    const SOLD_OUT: Reason = Shop::SOLD_OUT;

    fn begin() -> Timestamp {
        Shop::begin()
    }

    async fn open(database: &Database, units: u32) -> Self {
        let Shop(_) = Shop::open(database, units).await;
        Self(Shop(MAIL_ORDER))
    }

    fn cases(database: &Database) -> Purchases {
        Shop::cases(database)
    }

    async fn case(&self, database: &Database, payer: &str, now: Timestamp) -> CaseOf<Self> {
        self.0.case(database, payer, now).await
    }

    async fn free(&self, database: &Database) -> u32 {
        self.0.free(database).await
    }

    fn step(case: &mut Purchase) -> Result<Option<Told<Purchase>>, Error> {
        Shop::step(case)
    }
}
