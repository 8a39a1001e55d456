//! What a drill does on the hosts themselves: load on and off, Alertmanager's log, the kept proof.
//! Everything else is seen over HTTP.

use crate::error::{Error, Result};
use crate::remote::{Output, Remote};

/// The load's unit on the host. One drill at a time: systemd refuses a second one of the same name.
pub const UNIT: &str = "monctl-drill-cpu";
/// Where proofs are kept on the monitoring host.
const PROOFS: &str = "/var/lib/monctl/proofs";
const DRILL: &str = include_str!("drill.sh");
/// `drill.sh`: stress-ng is missing.
const MISSING: i32 = 3;
/// `drill.sh`: a drill is under way.
const UNDER_WAY: i32 = 4;

/// The load of one drill, as stress-ng and systemd get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How many CPUs are loaded.
    pub workers: u16,
    /// How busy each is made, in percent.
    pub percent: u8,
    /// After how many seconds it ends, whatever happens.
    pub seconds: u64,
    /// Its niceness: 19 lets everything else on the host go first. The load is the same to node exporter.
    pub nice: u8,
}

/// The hosts of a drill.
pub trait Site {
    /// Puts the load on; returns once it runs.
    fn start(&self, load: &Load) -> impl Future<Output = Result<()>>;
    /// Ends the load; fine when there is none.
    fn stop(&self) -> impl Future<Output = Result<()>>;
    /// Whether a load is on.
    fn is_loaded(&self) -> impl Future<Output = Result<bool>>;
    /// What Alertmanager logged in the last `seconds`.
    fn alertmanager_log(&self, seconds: u64) -> impl Future<Output = Result<String>>;
    /// Keeps a proof under a file name.
    fn keep(&self, name: &str, proof: &[u8]) -> impl Future<Output = Result<()>>;
}

/// Hosts behind ssh.
#[derive(Debug, Clone, Copy)]
pub struct Hosts<'a> {
    /// The host that is loaded.
    pub app: &'a Remote,
    /// The host with Alertmanager.
    pub monitoring: &'a Remote,
}

impl Hosts<'_> {
    async fn drill(&self, words: &[&str]) -> Result<Output> {
        let words: Vec<&str> = ["bash", "-s", "--"].into_iter().chain(words.iter().copied()).collect();
        self.app.run(&words, DRILL.as_bytes()).await
    }
}

impl Site for Hosts<'_> {
    async fn start(&self, load: &Load) -> Result<()> {
        let Load { workers, percent, seconds, nice } = load;
        let numbers = [seconds.to_string(), workers.to_string(), percent.to_string(), nice.to_string()];
        let words: Vec<&str> =
            ["start", UNIT].into_iter().chain(numbers.iter().map(String::as_str)).collect();
        let output = self.drill(&words).await?;
        if output.status.success() {
            return Ok(());
        }
        let host = self.app.host();
        let error = Error::could_not_run(format!("cannot put load on: {}", output.stderr.trim()))
            .at(host.to_string());
        Err(match output.status.code() {
            Some(MISSING) => error.remedy("`monctl up` installs it"),
            Some(UNDER_WAY) => error
                .remedy(format!("wait for its end, or end it: monctl ssh {host} -- systemctl stop {UNIT}")),
            _ => error.remedy(format!("see `monctl ssh {host} -- journalctl -u {UNIT}`")),
        })
    }

    async fn stop(&self) -> Result<()> {
        let output = self.drill(&["stop", UNIT]).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::failed(format!("cannot end the load: {}", output.stderr.trim()))
            .at(self.app.host().to_string())
            .remedy("it ends by itself at its time limit"))
    }

    async fn is_loaded(&self) -> Result<bool> {
        Ok(self.drill(&["state", UNIT]).await?.stdout.trim() == "active")
    }

    async fn alertmanager_log(&self, seconds: u64) -> Result<String> {
        let since = format!("-{seconds}s");
        let words = [
            "journalctl",
            "-u",
            "monctl-alertmanager",
            "-o",
            "cat",
            "--no-pager",
            "-n",
            "200",
            "--since",
            &since,
        ];
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
}

/// The kept proofs, as JSON documents one after the other.
///
/// # Errors
/// When the connection breaks. No proofs are no error.
pub async fn kept(monitoring: &Remote) -> Result<String> {
    let words = ["find", PROOFS, "-maxdepth", "1", "-name", "*.json", "-exec", "cat", "{}", ";"];
    Ok(monitoring.run(&words, b"").await?.stdout)
}
