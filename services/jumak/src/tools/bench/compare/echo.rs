//! The echo server: the lower bound for the cost of unary calls over tonic. It answers each method with fixed bytes and does nothing else.
//! Its clients encode the same requests and decode the same answers as the workload's.
//!
//! It runs in a process of its own, like a real server. The clients run in this process.

use std::{
    convert::Infallible,
    io::{self, BufRead, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::Context as _;
use mesh::config::TlsConfig;
use prost::{
    Message,
    bytes::{Buf, BufMut, Bytes},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{BoxFuture, Service, http},
    server::{Grpc, NamedService, UnaryService},
    transport::{
        Channel, Server,
        server::{Router, TcpIncoming},
    },
};
use tonic_prost::ProstCodec;

use super::BaselineLoad;
use crate::{
    bench::{
        child::Child,
        drive::{Load, Operate, drive},
        outcome::Outcome,
        schedule::Pace,
        target::connect,
        workload::Sample,
    },
    cli::output,
};

/// Its name in reports.
pub const NAME: &str = "echo";
const WARMUP: Duration = Duration::from_millis(500);
/// How long the server may take to print its address.
const START: Duration = Duration::from_secs(10);

/// Runs the server. It reads the answers from standard input: one line of hexadecimal digits for each method, and then an empty line. It
/// stops when standard input is closed, so it never outlives the process that started it.
pub async fn serve() -> anyhow::Result<()> {
    let mut lines = io::stdin().lines();
    let mut answers = Vec::new();
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        answers.push(from_hex(&line).context("an answer is not a hexadecimal number")?);
    }
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    output::line(listener.local_addr()?)?;
    let left = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    server(answers).serve_with_incoming_shutdown(incoming, async { drop(left.await) }).await?;
    Ok(())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Bytes> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// The path of method number `method`.
fn path(method: usize) -> String {
    format!("/{}/{method}", EchoService::NAME)
}

fn server(answers: Vec<Bytes>) -> Router {
    Server::builder().add_service(EchoService(answers.into()))
}

/// The fixed answer to one method.
#[derive(Clone)]
struct Answer(Bytes);

impl UnaryService<Bytes> for Answer {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _request: Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.0.clone())))
    }
}

/// Like a service that tonic generates, with another codec.
#[derive(Clone)]
struct EchoService(Arc<[Bytes]>);

impl NamedService for EchoService {
    const NAME: &'static str = "jumak.bench.Echo";
}

impl Service<http::Request<Body>> for EchoService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().and_then(|number| number.parse::<usize>().ok());
        let answer = method.and_then(|method| self.0.get(method)).cloned().unwrap_or_default();
        Box::pin(async move { Ok(Grpc::new(Raw).unary(Answer(answer), request).await) })
    }
}

/// A codec that passes encoded messages through.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

impl Sample {
    fn name(&self) -> &'static str {
        match self {
            Self::CreateReservation(..) => "CreateReservation",
            Self::GetReservation(..) => "GetReservation",
            Self::GetBooking(..) => "GetBooking",
            Self::SearchRooms(..) => "SearchRooms",
        }
    }

    fn answer(&self) -> Vec<u8> {
        match self {
            Self::CreateReservation(_, answer) | Self::GetReservation(_, answer) => answer.encode_to_vec(),
            Self::GetBooking(_, answer) => answer.encode_to_vec(),
            Self::SearchRooms(_, answer) => answer.encode_to_vec(),
        }
    }

    /// Makes the call at the path of method number `method`.
    async fn echo(&self, line: Channel, method: usize) -> Result<Response<()>, Status> {
        match self {
            Self::CreateReservation(request, answer) => echo(line, method, request, answer).await,
            Self::GetReservation(request, answer) => echo(line, method, request, answer).await,
            Self::GetBooking(request, answer) => echo(line, method, request, answer).await,
            Self::SearchRooms(request, answer) => echo(line, method, request, answer).await,
        }
    }
}

/// `_answer` only determines the type of the decoded message.
async fn echo<Q, A>(line: Channel, method: usize, request: &Q, _answer: &A) -> Result<Response<()>, Status>
where
    Q: Message + Clone + 'static,
    A: Message + Default + 'static,
{
    let path = http::uri::PathAndQuery::try_from(path(method)).map_err(|_| Status::internal("no path"))?;
    let mut client = tonic::client::Grpc::new(line);
    client.ready().await.map_err(|_| Status::unavailable("the connection was lost"))?;
    let answer: Response<A> = client.unary(Request::new(request.clone()), path, ProstCodec::<Q, A>::default()).await?;
    Ok(answer.map(drop))
}

/// The server, and the requests to send.
#[derive(Debug)]
pub struct Echo {
    _server: Child,
    lines: Vec<Channel>,
    samples: Vec<(u32, Arc<Sample>)>,
    /// The latest result of each method, in calls per second.
    each: Vec<f64>,
}

impl Echo {
    /// Starts the server process and connects to it.
    pub async fn start(samples: Vec<(u32, Sample)>, load: BaselineLoad) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bench-echo").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = Child::spawn(&mut command)?;
        // Its standard input stays open until this process ends.
        let input = server.process().stdin.as_mut().context("the server has no input")?;
        for (_, sample) in &samples {
            writeln!(input, "{}", to_hex(&sample.answer()))?;
        }
        writeln!(input)?;
        input.flush()?;
        let said = server.process().stdout.take().context("the server has no output")?;
        let reading = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(said).read_line(&mut line).map(|_| line)
        });
        let address =
            tokio::time::timeout(START, reading).await.context("the echo server did not start in time")???;
        let lines = connect(&format!("http://{}", address.trim()), &TlsConfig::default(), load.connections).await?;
        let samples = samples.into_iter().map(|(share, sample)| (share, Arc::new(sample))).collect();
        Ok(Self { _server: server, lines, samples, each: Vec::new() })
    }

    /// What it measures.
    pub fn what(&self) -> String {
        let each = self.samples.iter().zip(&self.each);
        let each: Vec<String> = each.map(|((_, one), rate)| format!("{} {rate:.0}", one.name())).collect();
        format!("a bare tonic server in its own process, with the same messages and clients; {}", each.join(", "))
    }

    /// Calls per second, for the same mix of methods as in the workload. A method's share is a share of the operations, not of the time.
    pub async fn measure(&mut self, baseline: BaselineLoad) -> anyhow::Result<f64> {
        let duration = baseline.duration / u32::try_from(self.samples.len().max(1))?;
        let load = Load { pace: Pace::Closed, warmup: WARMUP, duration };
        self.each.clear();
        for (method, (_, sample)) in self.samples.iter().enumerate() {
            let caller = |line: &Channel| Caller { line: line.clone(), method, sample: sample.clone() };
            let callers = self.lines.iter().cycle().take(baseline.clients).map(caller).collect();
            let measured = drive(callers, load, Arc::default(), &CancellationToken::new()).await?;
            anyhow::ensure!(measured.seen.errors() == 0, "{} calls to the echo server failed", measured.seen.errors());
            self.each.push(measured.per_second());
        }
        Ok(mixed(self.samples.iter().map(|(share, _)| *share).zip(self.each.iter().copied())))
    }
}

/// Operations per second of a mix, from the share and the rate of each kind.
fn mixed(kinds: impl Iterator<Item = (u32, f64)>) -> f64 {
    let (shares, time) = kinds
        .fold((0.0, 0.0), |(shares, time), (share, rate)| (shares + f64::from(share), time + f64::from(share) / rate));
    if time > 0.0 { shares / time } else { 0.0 }
}

struct Caller {
    line: Channel,
    method: usize,
    sample: Arc<Sample>,
}

impl Operate for Caller {
    async fn operate(&self, _number: u64) -> Outcome {
        let mut outcome = Outcome::default();
        outcome.step("Echo", self.sample.echo(self.line.clone(), self.method)).await;
        outcome
    }
}

#[cfg(test)]
mod tests {
    use contracts::reservation::v1::{GetReservationRequest, Reservation};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_echo_server_answers_each_method_with_its_own_answer() {
        let answers: Vec<_> = ["reservations/1", "reservations/22"]
            .map(|name| Reservation { name: name.to_owned(), ..Reservation::default() })
            .to_vec();
        let bytes = answers.iter().map(|answer| from_hex(&to_hex(&answer.encode_to_vec())).unwrap()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(server(bytes).serve_with_incoming(TcpIncoming::from(listener)));
        let line = connect(&target, &TlsConfig::default(), 1).await.unwrap().remove(0);
        for (method, wanted) in answers.iter().enumerate() {
            let mut client = tonic::client::Grpc::new(line.clone());
            client.ready().await.unwrap();
            let codec = ProstCodec::<GetReservationRequest, Reservation>::default();
            let request = Request::new(GetReservationRequest::default());
            let answer = client.unary(request, path(method).parse().unwrap(), codec).await.unwrap();
            assert_eq!(answer.get_ref(), wanted);
        }
        serving.abort();
    }

    #[test]
    fn the_rate_of_a_mix_follows_from_the_time_of_each_part() {
        assert_eq!(mixed([(100, 500.0)].into_iter()), 500.0);
        // Half of the calls take a millisecond, half of them three.
        assert_eq!(mixed([(50, 1_000.0), (50, 1_000.0 / 3.0)].into_iter()), 500.0);
    }
}
