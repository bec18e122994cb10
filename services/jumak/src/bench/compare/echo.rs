//! The least that a unary call over tonic costs: a server that answers with so many bytes and does nothing else.
//!
//! It is a process of its own, like a server, on the cores that are left to it by the clients, which run here.

use std::{
    convert::Infallible,
    io::{self, BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::Context as _;
use mesh::config::TlsConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::{Grpc, NamedService, UnaryService},
    transport::{
        Channel, Server,
        server::{Router, TcpIncoming},
    },
};
use tonic_prost::ProstCodec;

use super::Pressure;
use crate::{
    bench::{
        child::Child,
        drive::{Load, Operate, drive},
        outcome::Outcome,
        schedule::Pace,
        target::connect,
        workload::Sizes,
    },
    cli::output,
};

/// Its name in reports.
pub const NAME: &str = "echo";
const PATH: &str = "/jumak.bench.Echo/Echo";
const WARMUP: Duration = Duration::from_millis(500);
/// How long the server may take to say where it is.
const START: Duration = Duration::from_secs(10);

/// What the hidden subcommand takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The bytes of an answer
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(0..=1_048_576))]
    answer: u32,
}

/// Serves until whoever has started it closes its standard input: so it never outlives them.
pub async fn serve(args: &Args) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    output::line(listener.local_addr()?)?;
    let left = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    server(args.answer as usize).serve_with_incoming_shutdown(incoming, async { drop(left.await) }).await?;
    Ok(())
}

fn server(answer_bytes: usize) -> Router {
    Server::builder().add_service(EchoService(Answer(vec![b'x'; answer_bytes].into())))
}

/// What is answered, whatever was asked. On the wire it is a `google.protobuf.BytesValue`.
#[derive(Clone)]
struct Answer(Arc<[u8]>);

impl UnaryService<Vec<u8>> for Answer {
    type Response = Vec<u8>;
    type Future = std::future::Ready<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, _request: Request<Vec<u8>>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.0.to_vec())))
    }
}

/// As tonic generates it, for a service of one method.
#[derive(Clone)]
struct EchoService(Answer);

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
        let answer = self.0.clone();
        Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(answer, request).await) })
    }
}

/// The server, and what is sent to it.
#[derive(Debug)]
pub struct Echo {
    _server: Child,
    lines: Vec<Channel>,
    sizes: Sizes,
}

impl Echo {
    /// Starts the server as a process of its own and connects to it.
    pub async fn start(sizes: Sizes, pressure: Pressure) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench-echo", "--answer", &sizes.answer.to_string()]);
        // Its input stays open as long as we live.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = Child::spawn(&mut command)?;
        let said = server.process().stdout.take().context("the server has no output")?;
        let reading = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(said).read_line(&mut line).map(|_| line)
        });
        let address = tokio::time::timeout(START, reading).await.context("the echo server does not start")???;
        let lines = connect(&format!("http://{}", address.trim()), &TlsConfig::default(), pressure.connections).await?;
        Ok(Self { _server: server, lines, sizes })
    }

    /// What it is.
    pub fn what(&self) -> String {
        let Sizes { request, answer } = self.sizes;
        format!("a bare tonic server in a process of its own; {request} bytes in, {answer} out, the same clients")
    }

    /// Calls per second.
    pub async fn measure(&self, pressure: Pressure) -> anyhow::Result<f64> {
        let request: Arc<[u8]> = vec![b'x'; self.sizes.request].into();
        let caller = |(_, line): (usize, &Channel)| Caller { line: line.clone(), request: request.clone() };
        let callers = (0..pressure.clients).zip(self.lines.iter().cycle()).map(caller).collect();
        let load = Load { pace: Pace::Closed, warmup: WARMUP, duration: pressure.duration };
        let measured = drive(callers, load, Arc::default(), &CancellationToken::new()).await?;
        match measured.seen.errors() {
            0 => Ok(measured.per_second()),
            errors => anyhow::bail!("{errors} calls to the echo server failed"),
        }
    }
}

struct Caller {
    line: Channel,
    request: Arc<[u8]>,
}

impl Operate for Caller {
    async fn operate(&self, _number: u64) -> Outcome {
        let mut outcome = Outcome::default();
        let mut client = tonic::client::Grpc::new(self.line.clone());
        let path = http::uri::PathAndQuery::from_static(PATH);
        let request = Request::new(self.request.to_vec());
        let call = async {
            client.ready().await.map_err(|_| Status::unavailable("the connection is gone"))?;
            client.unary::<Vec<u8>, Vec<u8>, _>(request, path, ProstCodec::default()).await
        };
        outcome.step("Echo", call).await;
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_echo_server_answers_with_as_many_bytes_as_it_was_told_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(server(321).serve_with_incoming(TcpIncoming::from(listener)));
        let line = connect(&target, &TlsConfig::default(), 1).await.unwrap().remove(0);
        let mut client = tonic::client::Grpc::new(line);
        client.ready().await.unwrap();
        let path = http::uri::PathAndQuery::from_static(PATH);
        let answer: Response<Vec<u8>> =
            client.unary(Request::new(vec![0_u8; 12]), path, ProstCodec::default()).await.unwrap();
        assert_eq!(answer.get_ref().len(), 321);
        serving.abort();
    }
}
