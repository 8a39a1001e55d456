//! What a drill does on the hosts themselves: the fault on and off, a sign of life, Alertmanager's log, the
//! kept proof. Everything else is seen over HTTP.

use super::cause::{LEASE, Order};
use crate::error::{Error, Result};
use crate::remote::{Output, Remote};

/// What the units of drills are called on a host; the drill's name follows.
const UNIT: &str = "monctl-drill-";
/// Where a drill keeps its script and its sign of life, until the next boot at most.
const HOME: &str = "/run/monctl-drill";
/// Where proofs are kept on the monitoring host.
const PROOFS: &str = "/var/lib/monctl/proofs";
/// Replaces the exported rules as a whole, and lets Prometheus read them.
const EXPORT: &str = "mkdir -p /var/lib/monctl/proofs && cat >/var/lib/monctl/proofs/.rules.yml && chmod 0644 /var/lib/monctl/proofs/.rules.yml && \
                      mv /var/lib/monctl/proofs/.rules.yml /var/lib/monctl/proofs/rules.yml && \
                      systemctl reload monctl-prometheus.service";
const DRILL: &str = include_str!("drill.sh");
/// Puts the script where the unit finds it, and runs it.
const LAUNCH: &str = r#"install -d -m 0711 /run/monctl-drill && install -D -m 0700 /dev/stdin "/run/monctl-drill/$2/drill.sh" && exec bash "/run/monctl-drill/$2/drill.sh" "$@""#;
/// `drill.sh`: something is not installed.
const MISSING: i32 = 3;
/// `drill.sh`: the drill is under way.
const UNDER_WAY: i32 = 4;
/// `drill.sh`: the host is in no state for a drill.
const UNFIT: i32 = 5;

/// The hosts of a drill.
pub trait Site {
    /// Causes the fault; returns once it is there.
    fn start(&self, order: &Order) -> impl Future<Output = Result<()>>;
    /// Says that monctl is still there: a drill without it ends soon.
    fn beat(&self, name: &str) -> impl Future<Output = Result<()>>;
    /// Ends a drill and waits for its undo; fine when there is none.
    fn stop(&self, name: &str) -> impl Future<Output = Result<()>>;
    /// Ends every drill of this site without waiting.
    fn release(&self) -> impl Future<Output = Result<()>>;
    /// Whether a drill is under way.
    fn is_on(&self, name: &str) -> impl Future<Output = Result<bool>>;
    /// What Alertmanager logged in the last `seconds`.
    fn alertmanager_log(&self, seconds: u64) -> impl Future<Output = Result<String>>;
    /// Keeps a proof under a file name.
    fn keep(&self, name: &str, proof: &[u8]) -> impl Future<Output = Result<()>>;
    /// The kept proofs, as JSON documents one after the other. No proofs are no error.
    fn kept(&self) -> impl Future<Output = Result<String>>;
    /// Gives Prometheus the rules that export what the proofs say.
    fn export(&self, rules: &[u8]) -> impl Future<Output = Result<()>>;
}

/// Hosts behind ssh.
#[derive(Debug, Clone, Copy)]
pub struct Hosts<'a> {
    /// The host whose alerts are proven.
    pub app: &'a Remote,
    /// The host with Alertmanager.
    pub monitoring: &'a Remote,
}

impl Hosts<'_> {
    async fn systemctl(&self, words: &[&str]) -> Result<Output> {
        let words: Vec<&str> = ["systemctl"].into_iter().chain(words.iter().copied()).collect();
        self.app.run(&words, b"").await
    }

    fn not_started(&self, order: &Order, output: &Output) -> Error {
        let host = self.app.host();
        let unit = unit(&order.name);
        let said = output.stderr.trim();
        let error = Error::could_not_run(format!("cannot cause the fault: {said}")).at(host.to_string());
        match output.status.code() {
            Some(MISSING) => error.remedy("`monctl up` installs it"),
            Some(UNDER_WAY) => error
                .remedy(format!("wait for its end, or end it: monctl ssh {host} -- systemctl stop {unit}")),
            Some(UNFIT) => error.remedy("a drill would add to it: mend that first, then run it again"),
            _ => error.remedy(format!("see `monctl ssh {host} -- journalctl -u {unit}`")),
        }
    }
}

impl Site for Hosts<'_> {
    async fn start(&self, order: &Order) -> Result<()> {
        let (seconds, lease) = (order.seconds.to_string(), LEASE.as_secs().to_string());
        let cause = order.cause.words();
        let mut words = vec!["sh", "-c", LAUNCH, "sh", "start", &order.name, &seconds, &lease];
        words.extend(cause.iter().map(String::as_str));
        let output = self.app.run(&words, DRILL.as_bytes()).await?;
        if output.status.success() { Ok(()) } else { Err(self.not_started(order, &output)) }
    }

    async fn beat(&self, name: &str) -> Result<()> {
        // Made anew, a lease of a drill that has ended would be left over.
        self.app.run(&["touch", "--no-create", &format!("{HOME}/{name}/lease")], b"").await.map(drop)
    }

    async fn stop(&self, name: &str) -> Result<()> {
        let unit = unit(name);
        let output = self.systemctl(&["stop", &unit]).await?;
        // systemd knows no unit of a drill that has ended.
        if output.status.success() || !self.is_on(name).await? {
            return Ok(());
        }
        Err(Error::failed(format!("cannot end the drill: {}", output.stderr.trim()))
            .at(self.app.host().to_string())
            .remedy("it ends by itself soon after monctl"))
    }

    async fn release(&self) -> Result<()> {
        self.systemctl(&["stop", "--no-block", &format!("{UNIT}*")]).await.map(drop)
    }

    async fn is_on(&self, name: &str) -> Result<bool> {
        let state = self.systemctl(&["is-active", &unit(name)]).await?.stdout;
        Ok(matches!(state.trim(), "active" | "activating" | "deactivating"))
    }

    async fn alertmanager_log(&self, seconds: u64) -> Result<String> {
        let since = format!("-{seconds}s");
        let log = ["journalctl", "-u", "monctl-alertmanager", "-o", "cat", "--no-pager", "-n", "200"];
        let words: Vec<&str> = log.into_iter().chain(["--since", &since]).collect();
        Ok(self.monitoring.run(&words, b"").await?.stdout)
    }

    async fn keep(&self, name: &str, proof: &[u8]) -> Result<()> {
        let path = format!("{PROOFS}/{name}");
        let output =
            self.monitoring.run(&["install", "-D", "-m", "0644", "/dev/stdin", &path], proof).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::failed(format!("cannot keep the proof in `{path}`: {}", output.stderr.trim()))
            .at(self.monitoring.host().to_string()))
    }

    async fn kept(&self) -> Result<String> {
        kept(self.monitoring).await
    }

    async fn export(&self, rules: &[u8]) -> Result<()> {
        let output = self.monitoring.run(&["sh", "-c", EXPORT], rules).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::failed(format!("cannot export the last proofs: {}", output.stderr.trim()))
            .at(self.monitoring.host().to_string()))
    }
}

/// systemd's name of a drill.
fn unit(name: &str) -> String {
    format!("{UNIT}{name}.service")
}

/// The kept proofs, as JSON documents one after the other.
///
/// # Errors
/// When the connection breaks. No proofs are no error.
pub async fn kept(monitoring: &Remote) -> Result<String> {
    let words = ["find", PROOFS, "-maxdepth", "1", "-name", "*.json", "-exec", "cat", "{}", ";"];
    Ok(monitoring.run(&words, b"").await?.stdout)
}
