//! `jumak call`: calls any RPC from the command line.
//!
//! The code is generic: it works from the same descriptor set that the servers reflect. The request is JSON and is checked against the
//! descriptors. The reply is printed as JSON, as grpcurl does.

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
        connect::{self, TlsOptions},
        duration,
        options::ConfigOption,
        output,
        target::{self, MESH},
    },
    house::Member,
};

/// The default address of `jumak up`.
pub const DEFAULT_TARGET: &str = "http://127.0.0.1:8088";

/// The bounds of `--timeout`: more than any server here needs, and less than the largest `grpc-timeout`.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Call an RPC: its name and its request as JSON.
///
/// The bare name is enough: `jumak call SearchRooms '{"guests": 2}'`. Spell fields as in the contract (nightly_rate) or as in protobuf
/// JSON (nightlyRate). The reply is printed as JSON; a stream's messages are printed one per line as they arrive. If the call is refused,
/// the details are printed to standard error and the exit status is 1.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The RPC, such as CreateRoom or RoomService/CreateRoom
    #[arg(value_name = "METHOD", required_unless_present = "list")]
    method: Option<String>,
    /// The request as JSON: on the command line, in a file (@FILE), or from standard input (-)
    #[arg(value_name = "JSON", default_value = "{}")]
    request: String,
    /// The server's http:// or https:// address; `mesh` for the process of the local mesh that serves the RPC
    #[arg(long, value_name = "URL", env = "JUMAK_TARGET", hide_env_values = true, default_value = DEFAULT_TARGET)]
    target: String,
    #[command(flatten)]
    tls: TlsOptions,
    #[command(flatten)]
    configured: ConfigOption,
    /// The token, as `jumak token` prints it
    #[arg(long, value_name = "TOKEN", env = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A header, such as `x-correlation-id=demo-1`; may be repeated
    #[arg(short = 'H', long = "metadata", value_name = "KEY=VALUE")]
    metadata: Vec<Header>,
    /// The request id, which makes the call safe to repeat; `auto` makes a new one
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// How long to wait for the answer, 1s to 1d [default: 10s; unlimited for a stream]
    #[arg(long, value_name = "TIME", value_parser = duration::between(SHORTEST, LONGEST))]
    timeout: Option<Duration>,
    /// Print only this field of the reply, such as name or offers.0.room.name
    #[arg(long, value_name = "FIELD")]
    only: Option<String>,
    /// List all RPCs
    #[arg(long, conflicts_with_all = ["method", "describe"])]
    list: bool,
    /// Describe the RPC and its request instead of calling it
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
        target => connect::connect(target, &args.tls.at(target, &args.configured)?).await?,
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
    Member::ALL.into_iter().find(serves).with_context(|| format!("no context serves {}", service.full_name()))
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
