//! The API: request → use case → response.

use std::sync::Arc;

use contracts::provider::v1::{
    self as proto, CompleteChargeActionRequest, CreateChargeRequest, GetChargeRefundRequest, GetChargeRequest,
    ListChargesRequest, ListChargesResponse, RefundChargeRequest, charge, charge_refund,
    provider_service_server::ProviderService,
};
use mesh::{
    Error,
    clock::to_proto,
    fields::{Fields, MAX_TOKEN_CHARS},
    money::Money,
    page::PageTokens,
};
use tonic::{Request, Response, Status};

use crate::{
    app::App,
    domain::charge::{Charge, Refund, RefundState, State},
    store,
};

/// The most characters of an id that a caller chooses.
const MAX_ID_CHARS: usize = 64;

/// The service.
pub struct Api {
    app: Arc<App>,
    tokens: PageTokens,
}

impl Api {
    /// The service over `app`.
    pub fn new(app: Arc<App>, tokens: PageTokens) -> Self {
        Self { app, tokens }
    }

    fn charge(&self, charge: &Charge) -> proto::Charge {
        let waits = charge.state == State::ActionRequired;
        let mut message = proto::Charge {
            charge_id: charge.id.clone(),
            amount: Some(charge.amount.into()),
            refunded_amount: Some(charge.refunded.into()),
            decline_reason: charge.decline_reason.clone(),
            // Every token stands for the same card.
            method: Some(charge::Method {
                kind: "card".to_owned(),
                brand: "visa".to_owned(),
                last4: "4242".to_owned(),
            }),
            action_uri: if waits { self.app.action_uri(charge) } else { String::new() },
            action_expire_time: charge.due_time.filter(|_| waits).map(to_proto),
            create_time: Some(to_proto(charge.create_time)),
            ..proto::Charge::default()
        };
        message.set_state(match charge.state {
            State::Underway => charge::State::Unspecified,
            State::Processing => charge::State::Processing,
            State::ActionRequired => charge::State::ActionRequired,
            State::Charged => charge::State::Charged,
            State::Declined => charge::State::Declined,
            State::PartlyRefunded => charge::State::PartlyRefunded,
            State::Refunded => charge::State::Refunded,
        });
        message
    }
}

#[tonic::async_trait]
impl ProviderService for Api {
    async fn create_charge(&self, request: Request<CreateChargeRequest>) -> Result<Response<proto::Charge>, Status> {
        let message = request.into_inner();
        let mut fields = Fields::new();
        check_id(&mut fields, "charge_id", &message.charge_id);
        fields.required_line("token", &message.token, MAX_TOKEN_CHARS);
        let amount = fields.money("amount", message.amount.as_ref(), true);
        let amount = fields.take(amount)?;
        let charge = self.app.charge(&message.charge_id, amount, &message.token).await?;
        Ok(Response::new(self.charge(&charge)))
    }

    async fn get_charge(&self, request: Request<GetChargeRequest>) -> Result<Response<proto::Charge>, Status> {
        let id = &request.get_ref().charge_id;
        let mut fields = Fields::new();
        check_id(&mut fields, "charge_id", id);
        fields.finish().map_err(Error::from)?;
        let charge = self.app.get(id).await?;
        Ok(Response::new(self.charge(&charge)))
    }

    async fn complete_charge_action(
        &self,
        request: Request<CompleteChargeActionRequest>,
    ) -> Result<Response<proto::Charge>, Status> {
        let message = request.into_inner();
        let mut fields = Fields::new();
        check_id(&mut fields, "charge_id", &message.charge_id);
        fields.finish().map_err(Error::from)?;
        let charge = self.app.complete_action(&message.charge_id, message.approve).await?;
        Ok(Response::new(self.charge(&charge)))
    }

    async fn refund_charge(
        &self,
        request: Request<RefundChargeRequest>,
    ) -> Result<Response<proto::ChargeRefund>, Status> {
        let message = request.into_inner();
        let mut fields = Fields::new();
        check_id(&mut fields, "charge_id", &message.charge_id);
        check_id(&mut fields, "refund_id", &message.refund_id);
        let amount = fields.money("amount", message.amount.as_ref(), true);
        let amount: Money = fields.take(amount)?;
        let refund = self.app.refund(&message.charge_id, &message.refund_id, amount).await?;
        Ok(Response::new(refund_message(&refund)))
    }

    async fn get_charge_refund(
        &self,
        request: Request<GetChargeRefundRequest>,
    ) -> Result<Response<proto::ChargeRefund>, Status> {
        let message = request.into_inner();
        let mut fields = Fields::new();
        check_id(&mut fields, "charge_id", &message.charge_id);
        check_id(&mut fields, "refund_id", &message.refund_id);
        fields.finish().map_err(Error::from)?;
        let refund = self.app.get_refund(&message.charge_id, &message.refund_id).await?;
        Ok(Response::new(refund_message(&refund)))
    }

    async fn list_charges(
        &self,
        request: Request<ListChargesRequest>,
    ) -> Result<Response<ListChargesResponse>, Status> {
        let message = request.into_inner();
        let page = self.tokens.open(&["charges"], &message.page_token, message.page_size)?;
        let database = self.app.database().read();
        let mut charges = store::charges(database, &page).await?;
        let next_page_token =
            self.tokens.close(&page, &mut charges, |last| (last.create_time.as_microsecond(), last.id.clone()));
        let refunds = store::refunds_of(database, &charges).await?;
        Ok(Response::new(ListChargesResponse {
            charges: charges.iter().map(|charge| self.charge(charge)).collect(),
            refunds: refunds.iter().map(refund_message).collect(),
            next_page_token,
        }))
    }
}

fn refund_message(refund: &Refund) -> proto::ChargeRefund {
    let mut message = proto::ChargeRefund {
        refund_id: refund.id.clone(),
        charge_id: refund.charge.clone(),
        amount: Some(refund.amount.into()),
        failure_reason: refund.failure_reason.clone(),
        ..proto::ChargeRefund::default()
    };
    message.set_state(match refund.state {
        RefundState::Pending => charge_refund::State::Pending,
        RefundState::Succeeded => charge_refund::State::Succeeded,
        RefundState::Failed => charge_refund::State::Failed,
    });
    message
}

fn check_id(fields: &mut Fields, path: &str, id: &str) {
    let good = (1..=MAX_ID_CHARS).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    fields.check(good, path, "must be 1 to 64 of the letters A-Z a-z 0-9 _ -");
}
