//! Lines with TLS, from the command line.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Output},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::{
    stock_client::grpcurl::tools,
    support::process::{Process, jumak},
};

/// A CA of one's own, and a certificate of it.
struct Authority {
    folder: TempDir,
}

impl Authority {
    /// One that has issued a certificate for these hosts.
    fn of(hosts: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut params = CertificateParams::new(Vec::new()).expect("a certificate");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("hosts");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        for (name, pem) in [("ca", issuer.pem()), ("cert", certificate.pem()), ("key", key.serialize_pem())] {
            fs::write(folder.path().join(name).with_extension("pem"), pem).expect("a file");
        }
        Self { folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).with_extension("pem").to_string_lossy().into_owned()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A system that shows the certificate.
    async fn up(&self, more: &[(&str, &str)]) -> Process {
        let (cert, key) = (self.file("cert"), self.file("key"));
        let shows = [("JUMAK_TLS__CERT_FILE", cert.as_str()), ("JUMAK_TLS__KEY_FILE", key.as_str())];
        Process::start(&self.data(), &[&shows, more].concat()).await
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Types what the banner tells to type, into one shell, which ends at the first command that fails.
fn typed(process: &Process) -> String {
    let shown = process.shown();
    let is_typed = |line: &&str| {
        ["export ", "ROOM=", "grpcurl ", env!("CARGO_BIN_EXE_jumak")].iter().any(|begin| line.starts_with(begin))
    };
    let lines: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("  ")).filter(is_typed).collect();
    assert_eq!(lines.len(), 5, "{shown}");
    assert!(lines.last().is_some_and(|line| line.starts_with("grpcurl")), "{shown}");
    let mut shell = Command::new("bash");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("JUMAK_")) {
        shell.env_remove(name);
    }
    let path = env::join_paths([tools()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())));
    shell.env("PATH", path.expect("a path"));
    let output = shell.args(["-euo", "pipefail", "-c", &lines.join("\n")]).output().expect("bash");
    assert!(output.status.success(), "{shown}\n{}", said(&output));
    said(&output)
}

fn is_the_story(said: &str) {
    // The search twice, and the booking.
    assert_eq!(said.matches("Sea view").count(), 2, "{said}");
    assert!(said.contains("CONFIRMED"), "{said}");
}

#[tokio::test]
async fn what_a_server_tells_to_type_works_without_tls_and_with_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let process = Process::start(&folder.path().join("data"), &[]).await;
    assert!(process.shown().contains("(gRPC, without TLS)"), "{}", process.shown());
    is_the_story(&typed(&process));
    process.stops().await;

    for hosts in [&["127.0.0.1", "jumak.example"][..], &["localhost"]] {
        let authority = Authority::of(hosts);
        let ca = authority.file("ca");
        let process = authority.up(&[("JUMAK_TLS__CA_FILE", &ca)]).await;
        let shown = process.shown();
        assert!(shown.contains("(gRPC, with TLS)") && shown.contains(&format!("https://{}:", hosts[0])), "{shown}");
        is_the_story(&typed(&process));
        process.stops().await;
    }
}

#[tokio::test]
async fn what_a_server_tells_to_type_works_where_clients_show_a_certificate() {
    let authority = Authority::of(&["127.0.0.1"]);
    let ca = authority.file("ca");
    let process = authority.up(&[("JUMAK_TLS__CA_FILE", &ca), ("JUMAK_TLS__CLIENT_CA_FILE", &ca)]).await;
    assert!(process.shown().contains("(gRPC, with TLS and client certificates)"), "{}", process.shown());
    is_the_story(&typed(&process));
    let target = format!("https://{}", process.address);
    let mut command = jumak();
    command.args(["call", "GetRoom", "{}", "--token", "x", "--ca-file", &ca, "--target", &target]);
    let refused = command.output().expect("the binary runs");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    process.stops().await;
}

#[tokio::test]
async fn every_command_that_calls_a_server_does_so_with_tls() {
    let authority = Authority::of(&["127.0.0.1"]);
    let process = authority.up(&[]).await;
    let (target, ca) = (format!("https://{}", process.address), authority.file("ca"));
    let data = authority.data();
    let room = r#"{"name": "rooms/0190163d-8694-739b-aea5-966c26f8ad91"}"#;
    let token = process.token("alice", &[mesh::Role::Guest]);
    let call = |target: &str| {
        let mut command = jumak();
        command.args(["call", "GetRoom", room, "--target", target, "--token", &token]);
        command
    };
    let config = authority.folder.path().join("clients.toml");
    fs::write(&config, format!("[tls]\nca_file = {ca:?}\n[contexts.room]\naddresses = {target:?}\n")).expect("a file");

    // The CA from the option, the configuration, a variable of it, or this machine's own.
    let mut commands = [call(&target), call(&target), call(&target), call(&target), call("mesh")];
    commands[0].args(["--ca-file", &ca]);
    commands[1].arg("--config").arg(&config);
    commands[2].env("JUMAK_TLS__CA_FILE", &ca);
    commands[3].env("SSL_CERT_FILE", &ca);
    commands[4].arg("--config").arg(&config);
    for command in &mut commands {
        let said = said(&command.output().expect("the binary runs"));
        assert!(said.contains("ROOM_NOT_FOUND"), "{command:?}: {said}");
    }
    let stories: [&[&str]; 2] = [
        &["demo", "hotel"],
        &["bench", "read", "--duration", "1s", "--warmup", "0s", "--rooms", "2", "--clients", "2", "--no-compare"],
    ];
    for args in stories {
        let mut command = jumak();
        command.args(args).args(["--target", &target, "--ca-file", &ca, "--data"]).arg(&data);
        let output = command.output().expect("the binary runs");
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    }
    process.stops().await;
}

#[tokio::test]
async fn a_line_that_does_not_come_about_says_what_is_in_the_way() {
    let (authority, stranger) = (Authority::of(&["127.0.0.1"]), Authority::of(&["127.0.0.1"]));
    let secure = authority.up(&[]).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clear = Process::start(&folder.path().join("data"), &[]).await;
    let call = |target: &str, ca: Option<&str>| {
        let mut command = jumak();
        command.args(["call", "GetRoom", "{}", "--token", "x", "--target", target]);
        command.args(ca.iter().flat_map(|ca| ["--ca-file", ca]));
        let output = command.output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        said(&output)
    };
    let (https, http) = (format!("https://{}", secure.address), format!("http://{}", secure.address));
    for ca in [None, Some(stranger.file("ca"))] {
        let unknown = call(&https, ca.as_deref());
        assert!(unknown.contains("is not trusted") && unknown.contains("--ca-file"), "{unknown}");
    }
    let elsewhere = call(&https.replace("127.0.0.1", "localhost"), Some(&authority.file("ca")));
    assert!(elsewhere.contains("is not trusted") && elsewhere.contains("localhost"), "{elsewhere}");
    assert!(call(&http, None).contains("if the server uses TLS, begin the target with https://"));
    let clear_target = format!("https://{}", clear.address);
    let clear_says = call(&clear_target, Some(&authority.file("ca")));
    assert!(clear_says.contains("begin the target with http://"), "{clear_says}");
    assert!(call(&https, Some("/no/such.pem")).contains("failed to read /no/such.pem"));
    assert!(call("ftp://127.0.0.1", None).contains("must begin with http:// or https://"));
    secure.stops().await;
    clear.stops().await;
}
