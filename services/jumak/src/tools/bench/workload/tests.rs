use std::collections::VecDeque;

use contracts::mypage::v1::{
    GetMyPageRequest, GetTimelineRequest, GetTimelineResponse, ListBookingsRequest, ListBookingsResponse, MyPage,
    WatchMyPageRequest, WatchMyPageResponse,
    my_page_service_server::{MyPageService, MyPageServiceServer},
};
use mesh::config::TlsConfig;
use tokio::net::TcpListener;
use tonic::{
    Response,
    transport::{Server, server::TcpIncoming},
};

use super::*;
use crate::bench::target::connect;

const BOOKING: &str = "users/me/bookings/1";

/// A page that gives these answers to `GetBooking`, one after the other: a version, or a refusal.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<VecDeque<Result<i64, Code>>>>);

#[tonic::async_trait]
impl MyPageService for Page {
    type WatchMyPageStream = futures::stream::Empty<Result<WatchMyPageResponse, Status>>;

    async fn get_booking(&self, request: Request<GetBookingRequest>) -> Result<Response<Booking>, Status> {
        let name = request.into_inner().name;
        match self.0.lock().unwrap().pop_front().unwrap_or(Err(Code::Internal)) {
            Ok(version) => Ok(Response::new(Booking { name, version, ..Booking::default() })),
            Err(code) => Err(Status::new(code, "not yet")),
        }
    }

    async fn get_my_page(&self, _: Request<GetMyPageRequest>) -> Result<Response<MyPage>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn watch_my_page(&self, _: Request<WatchMyPageRequest>) -> Result<Response<Self::WatchMyPageStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_bookings(&self, _: Request<ListBookingsRequest>) -> Result<Response<ListBookingsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_timeline(&self, _: Request<GetTimelineRequest>) -> Result<Response<GetTimelineResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

/// Waits for version 3 on a page that answers so. What came of it, and the answers that were not asked for.
async fn wait(answers: impl IntoIterator<Item = Result<i64, Code>>) -> (anyhow::Result<()>, usize) {
    let page = Page(Arc::new(Mutex::new(answers.into_iter().collect())));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder().add_service(MyPageServiceServer::new(page.clone()));
    let serving = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let line = connect(&target, &TlsConfig::default(), 1).await.unwrap().remove(0);
    let outcome = shown(&Person::new(line, "token").unwrap(), BOOKING.to_owned(), 3).await;
    serving.abort();
    let left = page.0.lock().unwrap().len();
    (outcome, left)
}

#[tokio::test]
async fn a_booking_counts_as_shown_when_the_page_shows_it_in_that_version_and_not_before() {
    // The page does not know it yet; answers with what there is, because the call may wait no longer; knows it; and knows more.
    let (outcome, left) = wait([Err(Code::NotFound), Ok(1), Ok(2), Ok(3), Ok(4)]).await;
    outcome.unwrap();
    assert_eq!(left, 1);
    let (outcome, left) = wait([Ok(2), Ok(5)]).await;
    outcome.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_page_that_fails_ends_the_wait() {
    let (outcome, left) = wait([Ok(1), Err(Code::Unavailable), Ok(3)]).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.to_string(), "failed to read a booking on my page");
    assert_eq!(left, 1);
}
