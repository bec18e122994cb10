//! The API: request → use case → response.

use std::sync::Arc;

use contracts::payment::v1::{
    CreatePaymentRequest, GetPaymentRequest, ListLedgerEntriesRequest, ListLedgerEntriesResponse, ListPaymentsRequest,
    ListPaymentsResponse, ListRefundsRequest, ListRefundsResponse, Payment, Refund, RefundPaymentRequest,
    RetryRefundRequest, VoidPaymentRequest, payment_service_server::PaymentService,
};
use mesh::{
    Caller, Error, Principal, Reach, Reason, Refusal, clock,
    context::CaseOwner,
    fields::{Fields, parse_name, read_name},
    page::PageTokens,
};
use sea_orm::Condition;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    app::{App, Order, Retry, Wish, not_found},
    convert,
    domain::payment::Bill,
    store::{self, LedgerFilter},
};

/// The most characters of an account's name.
const MAX_ACCOUNT_CHARS: usize = 96;

/// The service.
pub struct Api {
    app: Arc<App>,
    tokens: PageTokens,
    /// Each context pays only for cases of its own collection.
    owners: Arc<[CaseOwner]>,
}

impl Api {
    /// The service over `app`, for the cases of `owners`.
    pub fn new(app: Arc<App>, tokens: PageTokens, owners: Arc<[CaseOwner]>) -> Self {
        Self { app, tokens, owners }
    }
}

#[tonic::async_trait]
impl PaymentService for Api {
    async fn create_payment(&self, request: Request<CreatePaymentRequest>) -> Result<Response<Payment>, Status> {
        let caller = Caller::of(&request)?;
        let collection = self.collection_of(&caller)?;
        let (order, token) = order_of(request.into_inner(), collection)?;
        let payment = self.app.create(&caller, order, token).await?;
        Ok(Response::new(convert::payment(&payment)))
    }

    async fn void_payment(&self, request: Request<VoidPaymentRequest>) -> Result<Response<Payment>, Status> {
        let caller = Caller::of(&request)?;
        let collection = self.collection_of(&caller)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let id = fields.name("name", &message.name, "payments");
        fields.name("case", &message.case, collection);
        let id = fields.take(id)?;
        let payment = self.app.void(&caller, id, &message.case).await?;
        Ok(Response::new(convert::payment(&payment)))
    }

    async fn refund_payment(&self, request: Request<RefundPaymentRequest>) -> Result<Response<Refund>, Status> {
        let caller = Caller::of(&request)?;
        let collection = self.collection_of(&caller)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let payment = fields.name("name", &message.name, "payments");
        let refund = id_of(&mut fields, "refund_id", &message.refund_id);
        let amount = message.amount.as_ref().and_then(|amount| fields.money("amount", Some(amount), true));
        let (payment, refund) = fields.take(payment.zip(refund))?;
        let refund = self.app.refund(&caller, collection, Wish { payment, refund, amount }).await?;
        Ok(Response::new(convert::refund(&refund)))
    }

    async fn retry_refund(&self, request: Request<RetryRefundRequest>) -> Result<Response<Refund>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        let failed = refund_name(&mut fields, "name", &message.name);
        let refund = id_of(&mut fields, "refund_id", &message.refund_id);
        let same = refund.is_some() && failed.map(|(_, failed)| failed) == refund;
        fields.check(!same, "refund_id", "is that of the refund that failed");
        let ((payment, failed), refund) = fields.take(failed.zip(refund))?;
        let refund = self.app.retry_refund(&caller, Retry { payment, failed, refund }).await?;
        Ok(Response::new(convert::refund(&refund)))
    }

    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Result<Response<Payment>, Status> {
        let caller = Caller::of(&request)?;
        let payment = self.find(&caller, "name", &request.get_ref().name).await?;
        Ok(Response::new(convert::payment(&payment)))
    }

    async fn list_payments(
        &self,
        request: Request<ListPaymentsRequest>,
    ) -> Result<Response<ListPaymentsResponse>, Status> {
        let (seen, who) = self.seen_by(&Caller::of(&request)?)?;
        let message = request.into_inner();
        let mut fields = Fields::new();
        fields.optional_name("case", &message.case, self.collection_like(&message.case));
        fields.finish().map_err(Error::from)?;
        let list = ["payments", &who, &message.case];
        let page = self.tokens.open(&list, &message.page_token, message.page_size)?;
        let case = Some(message.case.as_str()).filter(|case| !case.is_empty());
        let mut rows = store::payments(self.app.database().read(), seen, case, &page).await?;
        let next_page_token = self.tokens.close(&page, &mut rows, |row| (row.create_time.as_microsecond(), row.id));
        Ok(Response::new(ListPaymentsResponse {
            payments: rows.iter().map(convert::payment).collect(),
            next_page_token,
        }))
    }

    async fn list_refunds(
        &self,
        request: Request<ListRefundsRequest>,
    ) -> Result<Response<ListRefundsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let message = request.into_inner();
        let payment = self.find(&caller, "parent", &message.parent).await?;
        let list = ["refunds", message.parent.as_str()];
        let page = self.tokens.open(&list, &message.page_token, message.page_size)?;
        let mut rows = store::refunds_of(self.app.database().read(), payment.id, &page).await?;
        let next_page_token = self.tokens.close(&page, &mut rows, |row| (row.create_time.as_microsecond(), row.id));
        Ok(Response::new(ListRefundsResponse { refunds: rows.iter().map(convert::refund).collect(), next_page_token }))
    }

    async fn list_ledger_entries(
        &self,
        request: Request<ListLedgerEntriesRequest>,
    ) -> Result<Response<ListLedgerEntriesResponse>, Status> {
        let message = request.into_inner();
        let mut fields = Fields::new();
        let payment = fields.optional_name("payment", &message.payment, "payments");
        fields.line("account", &message.account, MAX_ACCOUNT_CHARS);
        fields.finish().map_err(Error::from)?;
        let filter =
            LedgerFilter { payment, account: Some(message.account.clone()).filter(|account| !account.is_empty()) };
        let list = ["ledgerEntries", message.payment.as_str(), &message.account];
        let page = self.tokens.open(&list, &message.page_token, message.page_size)?;
        let mut rows = store::ledger_entries(self.app.database().read(), &filter, &page).await?;
        let next_page_token = self.tokens.close(&page, &mut rows, |row| row.id);
        let ledger_entries = rows.into_iter().map(convert::ledger_entry).collect::<Result<_, _>>()?;
        Ok(Response::new(ListLedgerEntriesResponse { ledger_entries, next_page_token }))
    }
}

impl Api {
    /// The payments that the caller may see, and a word for them: a context sees those for its own cases.
    fn seen_by(&self, caller: &Caller) -> Result<(Condition, String), Error> {
        if let Principal::Context { .. } = caller.principal {
            let collection = self.collection_of(caller)?;
            return Ok((store::of_cases(collection), collection.to_owned()));
        }
        let reach = Reach::of(caller);
        Ok((store::of_parties(&reach), reach.name().to_owned()))
    }

    /// The collection of the cases that the calling context pays for.
    fn collection_of(&self, caller: &Caller) -> Result<&'static str, Error> {
        let own = match &caller.principal {
            Principal::Context { name } => self.owners.iter().find(|owner| owner.context == name),
            Principal::User { .. } => None,
        };
        own.map(|owner| owner.collection).ok_or_else(|| {
            let what = "only contexts create, void and refund payments, each for its own cases";
            Refusal::new(Reason::ROLE_REQUIRED, what).into()
        })
    }

    /// The collection of a case's name; the first one if the name is in none of them.
    fn collection_like(&self, case: &str) -> &'static str {
        let collections = || self.owners.iter().map(|owner| owner.collection);
        let is_in = |collection: &&str| case.split_once('/').is_some_and(|(head, _)| head == *collection);
        collections().find(is_in).or_else(|| collections().next()).unwrap_or_default()
    }

    /// The payment of that name, if the caller may see it.
    async fn find(&self, caller: &Caller, path: &str, name: &str) -> Result<crate::domain::payment::Payment, Error> {
        let (seen, _) = self.seen_by(caller)?;
        let id = read_name(path, name, "payments")?;
        store::find(self.app.database().read(), id, seen).await?.ok_or_else(|| not_found(name))
    }
}

fn order_of(message: CreatePaymentRequest, collection: &str) -> Result<(Order, String), Error> {
    let mut fields = Fields::new();
    let id = id_of(&mut fields, "payment_id", &message.payment_id);
    let token = fields.payment_token(message.payment_method.as_ref());
    let payment = message.payment.unwrap_or_default();
    fields.name("payment.case", &payment.case, collection);
    for (path, user) in [("payment.payer", &payment.payer), ("payment.payee", &payment.payee)] {
        fields.check(!user.is_empty(), path, "is required");
        fields.optional_user(path, user);
    }
    let amount = fields.money("payment.amount", payment.amount.as_ref(), true);
    let earn_time = payment.earn_time.as_ref().and_then(clock::from_proto);
    fields.check(payment.earn_time.is_none() || earn_time.is_some(), "payment.earn_time", "is not a valid timestamp");
    let (id, (amount, token)) = fields.take(id.zip(amount.zip(token)))?;
    let bill = Bill { payer: payment.payer, payee: payment.payee, amount, earn_time };
    Ok((Order { id, case: payment.case, bill }, token.to_owned()))
}

/// An id that the caller has derived: a UUID in canonical form.
fn id_of(fields: &mut Fields, path: &str, text: &str) -> Option<Uuid> {
    // A name is a key, and so is a bare id: the same check, without the collection.
    let id = parse_name(&format!("/{text}"), "");
    fields.check(id.is_some(), path, "is not a UUID like 0190a5d8-…, in lower case");
    id
}

/// A refund's name: its payment and its id.
fn refund_name(fields: &mut Fields, path: &str, name: &str) -> Option<(Uuid, Uuid)> {
    let ids = name.split_once("/refunds/").and_then(|(payment, refund)| {
        Some((parse_name(payment, "payments")?, parse_name(&format!("refunds/{refund}"), "refunds")?))
    });
    fields.check(ids.is_some(), path, "is no name like payments/0190a5d8-…/refunds/0190a5d8-…");
    ids
}
