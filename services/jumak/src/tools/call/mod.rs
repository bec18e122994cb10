//! `jumak call`: any RPC from a command line, from the contracts alone.
//!
//! Nothing here knows a message. The request is JSON, checked against the descriptor set that the servers reflect; the call is
//! generic; the reply is JSON again, as grpcurl prints it.

mod codec;
mod describe;
mod failure;
mod methods;
mod only;
mod request;
mod send;
#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::Context as _;
use prost_reflect::{DynamicMessage, MethodDescriptor};

use self::{methods::Methods, only::Field, send::Header};
use crate::{
    cli::{
        duration,
        line::{self, TlsOptions},
        output,
        place::Configured,
        target::{self, MESH},
    },
    house::Member,
};

/// Where `jumak up` takes calls unless told otherwise.
pub const DEFAULT_TARGET: &str = "http://127.0.0.1:8088";

/// What an answer may be waited for: more than any server here takes, and less than `grpc-timeout` can say.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Call an RPC: its name and its request as JSON.
///
/// The name alone is enough, as in `jumak call SearchRooms '{"guests": 2}'`. Fields are spelled as in the contract (nightly_rate) or as
/// JSON has them (nightlyRate). The reply is printed as JSON; a stream's messages one per line, as they come. A call that is refused
/// is explained on standard error and ends with status 1.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The RPC, as in CreateRoom or RoomService/CreateRoom
    #[arg(value_name = "METHOD", required_unless_present = "list")]
    method: Option<String>,
    /// The request as JSON: here, in a file (@FILE), or from standard input (-)
    #[arg(value_name = "JSON", default_value = "{}")]
    request: String,
    /// The server, at http:// or https://; `mesh` for whichever process of the local mesh serves the RPC
    #[arg(long, value_name = "URL", env = "JUMAK_TARGET", hide_env_values = true, default_value = DEFAULT_TARGET)]
    target: String,
    #[command(flatten)]
    tls: TlsOptions,
    #[command(flatten)]
    configured: Configured,
    /// The token to call with, as `jumak token` prints it
    #[arg(long, value_name = "TOKEN", env = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A header, as in `x-correlation-id=demo-1`; may be repeated
    #[arg(short = 'H', long = "metadata", value_name = "KEY=VALUE")]
    metadata: Vec<Header>,
    /// Make the call safe to repeat: this id, or `auto` for a new one
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// How long to wait for the answer, 1s to 1d [default: 10s; a stream's end is waited for]
    #[arg(long, value_name = "TIME", value_parser = duration::between(SHORTEST, LONGEST))]
    timeout: Option<Duration>,
    /// Print only this field of the reply, as in name or offers.0.room.name
    #[arg(long, value_name = "FIELD")]
    only: Option<String>,
    /// List all RPCs
    #[arg(long, conflicts_with_all = ["method", "describe"])]
    list: bool,
    /// Explain the RPC and its request instead of calling it
    #[arg(long)]
    describe: bool,
}

/// Makes the call; false means that it was refused.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let pool = mesh::server::contracts()?;
    let methods = Methods::of(pool);
    let Some(name) = args.method.as_deref() else {
        output::line(methods.list())?;
        return Ok(true);
    };
    let method = methods.find(name)?;
    if args.describe {
        output::line(describe::describe(&method)?)?;
        return Ok(true);
    }
    let message = request::read(&method, &args.request, args.request_id.as_deref())?;
    let only = args.only.as_deref().map(|path| Field::find(&method.output(), path)).transpose()?;
    let mut request = send::request(message, args.token.as_deref(), &args.metadata)?;
    send::limit(&mut request, &method, args.timeout);
    let channel = match args.target.as_str() {
        MESH => {
            let config = args.tls.over_config(target::local_mesh(&args.configured)?);
            target::connect(&config, server_of(&method)?).await?
        }
        target => line::connect(target, &args.tls.at(target, &args.configured)?).await?,
    };
    let each = |reply| print(only.as_ref(), &method, &reply);
    match send::send(channel, &method, request, each, output::unread()).await? {
        Ok(()) => Ok(true),
        Err(status) => {
            output::note(failure::explain(&status));
            Ok(false)
        }
    }
}

/// The context that serves the RPC.
fn server_of(method: &MethodDescriptor) -> anyhow::Result<Member> {
    let service = method.parent_service();
    let serves = |member: &Member| member.services.contains(&service.full_name());
    Member::ALL.into_iter().find(serves).with_context(|| format!("nobody here serves {}", service.full_name()))
}

fn print(only: Option<&Field>, method: &MethodDescriptor, reply: &DynamicMessage) -> anyhow::Result<()> {
    let text = match only {
        Some(field) => field.of(reply)?,
        None if method.is_server_streaming() => serde_json::to_string(reply)?,
        None => serde_json::to_string_pretty(reply)?,
    };
    output::line(text)?;
    Ok(())
}
