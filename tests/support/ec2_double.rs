//! Runs the stand-in for EC2 (`tests/doubles/ec2`) on loopback, each with an account of its own: who calls, what goes
//! wrong, which calls are held, what there is.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// A caller of the double.
#[derive(Debug, Clone)]
pub struct Caller {
    pub access_key: String,
    pub secret_key: String,
    pub session_token: Option<String>,
}

impl Caller {
    /// The environment in which AWS' tools and the binary find these credentials, and nothing else.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("AWS_ACCESS_KEY_ID", self.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_key.clone()),
        ];
        all.extend(self.session_token.iter().map(|token| ("AWS_SESSION_TOKEN", token.clone())));
        all
    }
}

/// A server that answers like EC2: our own stand-in, or a third-party emulator.
pub trait Ec2: Sync {
    /// Where monctl finds it.
    fn endpoint(&self) -> &str;

    /// Where a test finds it, whose calls are not monctl's.
    fn direct(&self) -> &str {
        self.endpoint()
    }

    /// A user with all permissions.
    fn administrator(&self) -> &Caller;

    /// Lines below `provider.aws` without which nothing can be made there.
    fn settings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Everything in the account that would cost something or be in the way, by kind: `id` and `tags` of each piece.
    fn inventory(&self) -> Value;

    /// Kinds that do not get the tags that are sent with the call that makes them.
    fn untagged(&self) -> &'static [&'static str] {
        &[]
    }

    /// Kinds that are left out of the inventory, since they are not as EC2 has them.
    fn unseen(&self) -> &'static [&'static str] {
        &[]
    }

    /// Holds the `nth` such call from now: before it is done, or after.
    fn hold(&self, action: &str, nth: usize, done: bool);

    /// Waits until a call is held. False where that takes longer.
    fn is_held(&self, within: Duration) -> bool;

    /// Forgets what is to be held; what is held is never done, or its answer never sent.
    fn clear_faults(&self);

    /// The names of the calls that monctl made, in the order in which they came.
    fn actions(&self) -> Vec<String>;

    /// Forgets the calls so far.
    fn forget_calls(&self);

    /// How many pieces there are of each kind; those of which there is none are left out.
    fn counts(&self) -> BTreeMap<String, usize> {
        let inventory = self.inventory();
        let kinds = inventory.as_object().unwrap();
        let count = |(kind, all): (&String, &Value)| (kind.clone(), all.as_array().map_or(0, Vec::len));
        kinds.iter().map(count).filter(|(_, count)| *count > 0).collect()
    }
}

impl Ec2 for Ec2Double {
    fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn administrator(&self) -> &Caller {
        &self.administrator
    }

    fn inventory(&self) -> Value {
        self.get("inventory")
    }

    fn hold(&self, action: &str, nth: usize, done: bool) {
        let how = if done { "hold_after" } else { "hold" };
        self.fault(&json!({"action": action, "do": how, "nth": nth}));
    }

    fn is_held(&self, within: Duration) -> bool {
        self.held(within).is_some()
    }

    fn clear_faults(&self) {
        self.request("DELETE", "faults", &Value::Null);
    }

    fn actions(&self) -> Vec<String> {
        self.calls().iter().map(|call| call["action"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn forget_calls(&self) {
        self.request("DELETE", "calls", &Value::Null);
    }
}

/// A stand-in that runs until it is dropped.
pub struct Ec2Double {
    process: Child,
    /// The endpoint of EC2, IAM and STS.
    pub endpoint: String,
    /// A user with all permissions.
    pub administrator: Caller,
}

impl Ec2Double {
    /// Starts one with an empty account in which nothing takes time.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with options of its `run.sh`.
    #[track_caller]
    pub fn start_with(options: &[&str]) -> Self {
        let mut process = Command::new(home().join("run.sh"))
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-in starts: it needs python3-venv");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("the stand-in printed {line:?}"));
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        let administrator = Caller {
            access_key: text("access_key_id"),
            secret_key: text("secret_access_key"),
            session_token: None,
        };
        Self { process, endpoint: text("endpoint"), administrator }
    }

    /// Back to the empty account.
    pub fn reset(&self) {
        self.post("reset", &json!({}));
    }

    /// Changes settings: how long things take, what there is capacity for.
    #[track_caller]
    pub fn set(&self, settings: &Value) {
        self.post("settings", settings);
    }

    /// A fault: `{"action": …, "do": "refuse" | "drop" | "hold" | "delay" | "fail" | "lose" | "hold_after", …}`.
    #[track_caller]
    pub fn fault(&self, fault: &Value) {
        self.post("faults", fault);
    }

    /// Waits until a call is held, and returns it; none where that takes longer.
    pub fn held(&self, within: Duration) -> Option<Value> {
        let found = self.get(&format!("held?wait={}", within.as_secs_f64()));
        found["held"].as_array().and_then(|held| held.first().cloned())
    }

    /// Lets all held calls go on.
    pub fn release(&self) {
        self.post("release", &json!({}));
    }

    /// The calls since the start or since they were forgotten, in the order in which they came.
    pub fn calls(&self) -> Vec<Value> {
        self.get("calls")["calls"].as_array().cloned().unwrap_or_default()
    }

    /// A user who may do what the policy allows.
    #[track_caller]
    pub fn user(&self, name: &str, policy: &Value) -> Caller {
        let made = self.post("users", &json!({"name": name, "policy": policy}));
        let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        Caller {
            access_key: text("access_key_id"),
            secret_key: text("secret_access_key"),
            session_token: None,
        }
    }

    /// Instance profiles, each with a role of its name, as an administrator makes them: by IAM's interface.
    #[track_caller]
    pub fn make_profiles(&self, names: &[&str]) {
        let venv = Command::new(home().join("venv.sh")).output().unwrap();
        let python = format!("{}/bin/python", String::from_utf8(venv.stdout).unwrap().trim());
        let done = Command::new(python)
            .args(["-c", MAKE_PROFILES, &self.endpoint])
            .args(names)
            .envs(self.administrator.environment())
            .status();
        assert!(done.unwrap().success(), "no profiles {names:?}");
    }

    /// A GET of the control interface.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.request("GET", path, &Value::Null)
    }

    /// A POST to the control interface.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.request("POST", path, body)
    }

    #[track_caller]
    fn request(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = http(&self.endpoint, method, &format!("/double/{path}"), &body);
        assert_eq!(status, 200, "{method} {path} {body}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }
}

impl Drop for Ec2Double {
    fn drop(&mut self) {
        // It ends with its standard input, and takes its machines with it.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The folder of the stand-in.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doubles/ec2")
}

const MAKE_PROFILES: &str = r#"
import json, sys
import boto3
iam = boto3.client("iam", endpoint_url=sys.argv[1], region_name="us-east-1")
service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
for name in sys.argv[2:]:
    trust = json.dumps({"Version": "2012-10-17", "Statement": [service]})
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
"#;

/// One request of plain HTTP, as these tests need it.
fn http(endpoint: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let address = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, body.to_owned())
}
