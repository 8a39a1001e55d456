//! Each problem with credentials, through the binary: the real cause, in time, with exit code 5 and a remedy. And the
//! partitions of AWS, whose endpoints the SDK knows.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use monctl::digest::Sha256;
use serde_json::{Value, json};

use crate::computer::Computer;
use crate::emulator::Kind;
use crate::pool::{each, with_double, with_emulator};
use crate::support::binary::Monctl;
use crate::support::ec2_double::{Ec2 as _, Ec2Double};

const PAGE: &str = include_str!("../../docs/aws.md");

/// Time limit of a case: programs that provide credentials have 30 s.
const BOUND: Duration = Duration::from_secs(75);

/// One problem with credentials.
#[derive(Debug, Clone)]
struct Case {
    name: &'static str,
    config: &'static str,
    environment: &'static [(&'static str, &'static str)],
    /// The case has the administrator's keys in the environment.
    has_keys: bool,
    settings: &'static [&'static str],
    shows: &'static [&'static str],
}

const BARE: Case =
    Case { name: "", config: "", environment: &[], has_keys: false, settings: &[], shows: &[] };

const CASES: [Case; 15] = [
    Case {
        name: "a profile that does not exist",
        config: "[profile shop]\nregion = eu-central-1\n",
        environment: &[("AWS_PROFILE", "nowhere")],
        shows: &["there is no profile `nowhere`", "`shop`"],
        ..BARE
    },
    Case {
        name: "a profile that does not exist, beside keys",
        environment: &[("AWS_PROFILE", "nowhere")],
        has_keys: true,
        shows: &["there is no profile `nowhere`"],
        ..BARE
    },
    Case {
        name: "a profile of `aws login` without a session",
        config: "[profile shop]\nlogin_session = arn:aws:iam::123456789012:user/me\nregion = eu-central-1\n",
        environment: &[("AWS_PROFILE", "shop")],
        shows: &["the session of `aws login` has expired", "aws login --profile shop"],
        ..BARE
    },
    Case {
        name: "a legacy SSO profile whose session has expired",
        config: "[profile shop]\nsso_start_url = https://shop.invalid/start\nsso_region = eu-central-1\nsso_account_id = 123456789012\nsso_role_name = operator\n",
        environment: &[("AWS_PROFILE", "shop")],
        shows: &["the SSO session has expired", "aws sso login --profile shop"],
        ..BARE
    },
    Case {
        name: "a profile that needs an MFA code",
        config: "[profile shop]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n[profile base]\naws_access_key_id = AKIAX\naws_secret_access_key = x\n",
        environment: &[("AWS_PROFILE", "shop")],
        shows: &["MFA code", "aws configure export-credentials --profile shop"],
        ..BARE
    },
    Case {
        name: "a source profile that does not exist",
        config: "[profile shop]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n",
        environment: &[("AWS_PROFILE", "shop")],
        shows: &["refers to the profile `base`", "source_profile"],
        ..BARE
    },
    Case {
        name: "a credential_process that hangs",
        config: "[profile shop]\ncredential_process = sleep 60\n",
        environment: &[("AWS_PROFILE", "shop")],
        shows: &["`credential_process` of profile `shop` did not end within 30 s"],
        ..BARE
    },
    Case {
        name: "a credential_process that fails",
        config: "[profile shop]\ncredential_process = sh -c 'echo vault is sealed >&2; exit 3'\n",
        environment: &[("AWS_PROFILE", "shop")],
        shows: &["`credential_process` of profile `shop` returned no credentials", "vault is sealed"],
        ..BARE
    },
    Case {
        name: "a token file that does not exist",
        environment: &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token"),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x"),
        ],
        shows: &["`AWS_WEB_IDENTITY_TOKEN_FILE` names `/nonexistent/token`, which cannot be read"],
        ..BARE
    },
    Case {
        name: "a region that is not valid",
        environment: &[("AWS_REGION", "Frankfurt")],
        has_keys: true,
        settings: &["region: null"],
        shows: &["`Frankfurt` is not a region", "AWS_REGION"],
        ..BARE
    },
    Case {
        name: "a proxy that is not valid",
        environment: &[("HTTPS_PROXY", "http://proxy:port")],
        has_keys: true,
        shows: &["`HTTPS_PROXY` is not a valid proxy address"],
        ..BARE
    },
    Case {
        name: "a proxy that refuses",
        environment: &[("HTTP_PROXY", "http://me:secret@127.0.0.1:1")],
        has_keys: true,
        shows: &["refused", "`HTTP_PROXY=127.0.0.1:1` is set"],
        ..BARE
    },
    Case {
        name: "a CA bundle that does not exist",
        environment: &[("AWS_CA_BUNDLE", "/nonexistent/ca.pem")],
        has_keys: true,
        shows: &["`AWS_CA_BUNDLE` names `/nonexistent/ca.pem`, which cannot be read"],
        ..BARE
    },
    Case {
        name: "a CA bundle without certificates",
        environment: &[("AWS_CA_BUNDLE", "/dev/null")],
        has_keys: true,
        shows: &["`AWS_CA_BUNDLE` names `/dev/null`, which contains no certificate"],
        ..BARE
    },
    Case { name: "nothing at all", shows: &["no credentials for AWS were found", "aws configure"], ..BARE },
];

#[test]
fn each_problem_with_credentials_is_reported_in_time_with_its_remedy() {
    let table = std::sync::Mutex::new(BTreeMap::new());
    each(CASES, |case, double| {
        let mut computer = Computer::new(double);
        if !case.has_keys {
            computer.caller = None;
        }
        computer.spec(case.settings, 1);
        computer.write_aws_config(case.config);
        expire_session(&computer);
        let mut call = without_proxies(computer.call("plan"));
        for (name, value) in case.environment {
            call = call.env(name, value);
        }
        let begun = Instant::now();
        let ran = call.run().code(5).within(BOUND).stderr_contains("help:");
        for words in case.shows {
            assert!(ran.stderr.contains(words), "no {words:?} in\n{}", ran.stderr);
        }
        let ran =
            ran.stderr_lacks("service error").stderr_lacks("dispatch failure").stderr_lacks("me:secret");
        assert!(double.counts().is_empty());
        let first = ran.stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
        let message = first.trim_start_matches("error: ");
        assert!(PAGE.contains(&format!("| {message} |")), "docs/aws.md does not have: {message}");
        table
            .lock()
            .unwrap()
            .insert(case.name, format!("{:4.1} s, exit 5: {first}", begun.elapsed().as_secs_f64()));
    });
    for (name, row) in table.into_inner().unwrap() {
        println!("{name:48} {row}");
    }
}

/// A call without the proxies of the test computer.
fn without_proxies(call: Monctl) -> Monctl {
    let names = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"];
    names.into_iter().fold(call, |call, name| call.env_remove(name).env_remove(&name.to_lowercase()))
}

/// Writes an expired session for `https://shop.invalid/start` to the cache of AWS' tools.
fn expire_session(computer: &Computer<'_>) {
    let folder = computer.home(".aws/sso/cache");
    fs::create_dir_all(&folder).unwrap();
    // The file's name is the SHA-1 of the start URL.
    let name =
        Command::new("sh").args(["-c", "printf %s https://shop.invalid/start | sha1sum"]).output().unwrap();
    let name = String::from_utf8(name.stdout).unwrap();
    let text = r#"{"startUrl": "https://shop.invalid/start", "region": "eu-central-1", "accessToken": "x", "expiresAt": "2020-01-01T00:00:00Z"}"#;
    fs::write(folder.join(format!("{}.json", name.split(' ').next().unwrap())), text).unwrap();
}

/// Temporary credentials with all permissions.
fn session(double: &Ec2Double) -> Value {
    let everything = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [everything]});
    double.post("users", &json!({"name": "role", "policy": policy, "session": true}))
}

/// A server that provides credentials to any caller, like the role of a machine.
fn role_of_the_machine(double: &Ec2Double) -> String {
    let made = session(double);
    let body = json!({
        "AccessKeyId": made["access_key_id"],
        "SecretAccessKey": made["secret_access_key"],
        "Token": made["session_token"],
        "Expiration": "2099-01-01T00:00:00Z",
    });
    let body = body.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/role", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            );
            // Errors are ignored: the caller may be gone.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    url
}

#[test]
fn a_profile_that_does_not_exist_never_becomes_the_role_of_the_machine() {
    with_double(|double| {
        let mut computer = Computer::new(double);
        computer.caller = None;
        let url = role_of_the_machine(double);
        let call = || computer.call("plan").env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url);
        call().run().code(3);
        call().env("AWS_PROFILE", "nowhere").run().code(5).stderr_contains("there is no profile `nowhere`");
        // An empty variable counts as not set.
        call().env("AWS_PROFILE", "").run().code(3);
    });
}

/// Writes a session of `aws login` for the profile `shop` to its cache. The SDK renews it with the key, a PEM text.
fn log_in(computer: &Computer<'_>, expires: &str, key: &str) {
    let user = "arn:aws:iam::123456789012:user/me";
    computer.write_aws_config(&format!("[profile shop]\nlogin_session = {user}\nregion = eu-central-1\n"));
    let folder = computer.home(".aws/login/cache");
    fs::create_dir_all(&folder).unwrap();
    let name = Sha256::of(user).to_string();
    let keys = session(computer.double);
    let token = json!({
        "accessToken": {
            "accessKeyId": keys["access_key_id"],
            "secretAccessKey": keys["secret_access_key"],
            "sessionToken": keys["session_token"],
            "accountId": "123456789012",
            "expiresAt": expires,
        },
        "tokenType": "aws_sigv4",
        "refreshToken": "x",
        "clientId": "arn:aws:signin:::devtools/same-device",
        "dpopKey": key,
    });
    fs::write(folder.join(format!("{name}.json")), token.to_string()).unwrap();
}

#[test]
fn a_session_of_aws_login_is_used_while_it_lasts() {
    with_double(|double| {
        let mut computer = Computer::new(double);
        computer.caller = None;
        log_in(&computer, "2099-01-01T00:00:00Z", "no key");
        computer.call("plan").env("AWS_PROFILE", "shop").run().code(3);
        log_in(&computer, "2020-01-01T00:00:00Z", "no key");
        computer
            .call("plan")
            .env("AWS_PROFILE", "shop")
            .run()
            .code(5)
            .stderr_contains("the session of `aws login` has expired")
            .stderr_contains("help: run `aws login --profile shop`");
    });
}

#[test]
fn a_session_of_aws_login_that_cannot_be_renewed_without_a_network_path_is_not_called_expired() {
    with_double(|double| {
        let mut computer = Computer::new(double);
        computer.caller = None;
        let key = openssl(Path::new("."), &["ecparam", "-name", "prime256v1", "-genkey", "-noout"]);
        log_in(&computer, "2020-01-01T00:00:00Z", &key);
        computer
            .call("plan")
            .env("AWS_PROFILE", "shop")
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .run()
            .code(5)
            .stderr_contains(
                "the service that provides the credentials of profile `shop` cannot be reached: the connection is refused",
            )
            .stderr_lacks("expired");
    });
}

/// A TLS listener with a certificate of its own authority; it runs until it is dropped.
struct TlsFront {
    child: Child,
    /// It ends with its standard input.
    _input: ChildStdin,
    port: u16,
}

impl TlsFront {
    fn start(folder: &Path, to: &str) -> Self {
        let (certificate, key) = (folder.join("front.pem"), folder.join("front.key"));
        if !certificate.exists() {
            let authority = ["-subj", "/CN=inspecting proxy", "-keyout", "ca.key", "-out", "ca.pem"];
            make_certificate(folder, &authority);
            let own = [
                "-subj",
                "/CN=front",
                "-keyout",
                "front.key",
                "-out",
                "front.pem",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
            ];
            let extensions =
                ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1"];
            make_certificate(folder, &[&own[..], &extensions].concat());
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws/tls_front.py");
        let mut child = Command::new("python3")
            .arg(script)
            .args([&certificate, &key])
            .arg(to)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, _input: input, port: line.trim().parse().unwrap() }
    }
}

/// Generates a key and a certificate in a folder.
fn make_certificate(folder: &Path, words: &[&str]) {
    let key =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    openssl(folder, &[&key, words].concat());
}

/// The output of openssl, run in a folder.
fn openssl(folder: &Path, words: &[&str]) -> String {
    let ran = Command::new("openssl").current_dir(folder).args(words).stderr(Stdio::null()).output().unwrap();
    assert!(ran.status.success(), "openssl fails: {words:?}");
    String::from_utf8(ran.stdout).unwrap()
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        // Errors are ignored: it may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn both_clients_trust_the_certificates_of_the_ca_bundle_and_nothing_without_it() {
    with_double(|double| {
        let computer = Computer::new(double);
        let front = TlsFront::start(&computer.home(""), double.endpoint.trim_start_matches("http://"));
        let page = TlsFront::start(&computer.home(""), "text:203.0.113.9");
        let endpoint = format!("endpoint: https://127.0.0.1:{}", front.port);
        let address = format!("address_from: https://127.0.0.1:{}", page.port);
        computer.spec(&[&endpoint, &address, "allow_ssh_from: []"], 1);
        let bundle = computer.home("ca.pem");
        let ran = computer.call("plan").env_remove("AWS_CA_BUNDLE").run().code(5);
        ran.stderr_contains("TLS").stderr_contains("AWS_CA_BUNDLE");
        let ran = computer.call("plan").env("AWS_CA_BUNDLE", &bundle).run().code(3);
        ran.stdout_contains("tcp 22 from 203.0.113.9/32");
    });
}

/// A proxy that records the requested destination, and refuses.
fn noting_proxy() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let (note, notes) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut first = String::new();
            if BufReader::new(&stream).read_line(&mut first).is_ok() && note.send(first).is_err() {
                return;
            }
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (proxy, notes)
}

#[test]
fn each_partition_has_its_own_endpoints() {
    let cases = [
        ("eu-central-1", "sts.eu-central-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
    ];
    each(cases, |(region, host), double| {
        let computer = Computer::new(double);
        let (proxy, notes) = noting_proxy();
        computer.spec(&["endpoint: null", &format!("region: {region}")], 1);
        let call =
            computer.call("plan").env("HTTPS_PROXY", proxy).env_remove("NO_PROXY").env_remove("no_proxy");
        call.run().code(5).stderr_contains("help:");
        let first = notes.try_recv().unwrap();
        assert!(first.starts_with(&format!("CONNECT {host}:443 ")), "{first}");
    });
}

#[test]
fn outside_of_the_usual_partition_an_image_must_be_named() {
    each(["cn-north-1", "us-gov-west-1"], |region, double: &Ec2Double| {
        let computer = Computer::new(double);
        computer.spec(&[&format!("region: {region}")], 1);
        let ran =
            computer.run("plan").code(5).stderr_contains("does not know the publisher of Debian's images");
        ran.stderr_contains("provider.aws.image");
    });
}

#[test]
fn the_sovereign_cloud_is_a_partition_of_its_own() {
    // The double does not know its region. With only private networks, no route is needed.
    let region = "region: eusc-de-east-1";
    let settings = [region, "image: null", "user: admin", "allow_ssh_from: [10.0.0.0/8]"];
    with_emulator(Kind::Ministack, |emulator| {
        let computer = Computer::new(emulator);
        computer.spec(&settings, 1);
        computer.run("plan").code(5).stderr_contains("does not know the publisher of Debian's images");
    });
}
