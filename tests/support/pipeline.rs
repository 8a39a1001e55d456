//! A real Prometheus and a real Alertmanager on loopback, configured by monctl's own rendering with
//! intervals of seconds, and a host whose CPU a test controls.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use monctl::cancel::Cancel;
use monctl::drill::{Application, HostFault, KeptFile, Options, Order, Site, StopFailure};
use monctl::error::{Error, Result};
use monctl::event::{Event, Events};
use monctl::host::HostName;
use monctl::http::alertmanager::Alertmanager;
use monctl::http::prometheus::Prometheus;
use monctl::http::slack::{Reply, SlackReceiver};
use monctl::http::{Client, Endpoint};
use monctl::remote::CommandOutput;
use monctl::render::{Addresses, Bundle, rules};
use monctl::secret::Secret;
use monctl::spec::{DrillKind, Spec, load};
use monctl::timing::{Mutes, TimingSettings};
use monctl::verify::{
    Inbox, MessageChannels, Proof, Reader, Request, Round, Services, Shell, Subject, prove,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use super::tools::program;

/// A generous deadline for services to come up on this computer.
const DEADLINE: Duration = Duration::from_mins(1);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How many CPUs the host has.
const CPUS: u16 = 2;

/// The timings of a pipeline.
pub struct Timings {
    pub group_wait: &'static str,
    pub group_interval: &'static str,
}

impl Default for Timings {
    fn default() -> Self {
        Self { group_wait: "1s", group_interval: "4s" }
    }
}

/// A program that is ended with the test.
pub struct Process(pub Mutex<Child>);

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.0.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The pipeline, until it is dropped.
pub struct Pipeline {
    pub host: Arc<Host>,
    pub alertmanager: Client,
    spec: Spec,
    prometheus: SocketAddr,
    alertmanager_address: SocketAddr,
    receiver: Option<SlackReceiver>,
    processes: [Arc<Process>; 2],
    prometheus_program: PathBuf,
    folder: TempDir,
}

/// Ends a pipeline's Prometheus and starts it again, while something else goes on.
pub struct Restart {
    process: Arc<Process>,
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
}

impl Restart {
    /// Ends Prometheus.
    pub fn stop(&self) {
        let mut child = self.process.0.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again over what it has stored.
    pub fn start(&self) {
        let new = prometheus_process(&self.program, &self.folder, self.address);
        std::mem::swap(&mut *self.process.0.lock().unwrap(), &mut *new.0.lock().unwrap());
    }
}

pub fn free_address() -> SocketAddr {
    TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap()
}

impl Pipeline {
    /// Starts everything with a receiver that gives these replies first; `None` where the programs are missing.
    pub async fn start(timings: Timings, replies: Vec<Reply>) -> Option<Self> {
        let (receiver, webhook) = SlackReceiver::on_tcp((LOOPBACK, 0).into(), replies).await.unwrap();
        let webhook = format!("http://{webhook}/services/T/B/x");
        Self::start_to("capture: {}", &webhook, timings, Some(receiver)).await
    }

    /// Starts everything with these lines of `notify`; messages are always posted to this webhook.
    pub async fn start_to(
        notify: &str,
        webhook: &str,
        timings: Timings,
        receiver: Option<SlackReceiver>,
    ) -> Option<Self> {
        let (prometheus, alertmanager) = (program("prometheus")?, program("prometheus-alertmanager")?);
        let folder = tempfile::tempdir().unwrap();
        let host = Arc::new(Host::start(folder.path().join("alertmanager.log")).await);
        let (ours, theirs) = (free_address(), free_address());
        let spec = spec(folder.path(), notify, &timings);
        configure(&spec, folder.path(), &host, theirs, webhook);
        let alertmanager = alertmanager_process(&alertmanager, folder.path(), theirs);
        let process = prometheus_process(&prometheus, folder.path(), ours);
        let client = |name, address| Client::new(name, &Endpoint::Tcp(address)).unwrap();
        let pipeline = Self {
            host,
            alertmanager: client("alertmanager", theirs),
            spec,
            prometheus: ours,
            alertmanager_address: theirs,
            receiver,
            processes: [process, alertmanager].map(Arc::new),
            prometheus_program: prometheus,
            folder,
        };
        pipeline.wait_ready().await;
        Some(pipeline)
    }

    /// Until Alertmanager answers and Prometheus has the expression's value.
    async fn wait_ready(&self) {
        let prometheus = Prometheus::new(&Endpoint::Tcp(self.prometheus)).unwrap();
        let expression = rules(&self.spec)[0].expr.replace("> 80", ">= 0");
        let begin = Instant::now();
        loop {
            let answers = self.alertmanager.get("/-/ready").await.is_ok_and(|answer| answer.is_success());
            let linked = prometheus.alertmanagers().await.is_ok_and(|count| count == 1);
            let has_value = prometheus.query(&expression).await.is_ok_and(|found| !found.is_empty());
            if answers && linked && has_value {
                return;
            }
            let logs = || {
                let log = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
                log("alertmanager.log") + &log("prometheus.log")
            };
            assert!(self.is_alive(), "a service ended: {}", logs());
            assert!(begin.elapsed() < DEADLINE, "not ready: {answers} {linked} {has_value}: {}", logs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Until Prometheus has noticed that the host is gone.
    pub async fn target_is_down(&self) {
        let prometheus = Prometheus::new(&Endpoint::Tcp(self.prometheus)).unwrap();
        while !prometheus.targets().await.unwrap().iter().any(|target| target.health == "down") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A handle for stopping Prometheus while an alert is being proven.
    pub fn restart(&self) -> Restart {
        Restart {
            process: Arc::clone(&self.processes[0]),
            program: self.prometheus_program.clone(),
            folder: self.folder.path().to_owned(),
            address: self.prometheus,
        }
    }

    fn is_alive(&self) -> bool {
        self.processes.iter().all(|process| matches!(process.0.lock().unwrap().try_wait(), Ok(None)))
    }

    pub fn settings(&self) -> TimingSettings {
        TimingSettings::of_rule(&self.spec, &rules(&self.spec)[0]).unwrap()
    }

    /// Uses Alertmanager's counters as the witness; the receiver keeps responding.
    pub fn hide_receiver(&mut self) -> SlackReceiver {
        self.receiver.take().unwrap()
    }

    /// Proves `HighCPUUsage` on the host.
    pub async fn prove(&mut self, options: Options) -> (Result<Proof>, Vec<Event>) {
        self.prove_until(options, &Cancel::default()).await
    }

    /// The same, until interrupted.
    pub async fn prove_until(&mut self, options: Options, cancel: &Cancel) -> (Result<Proof>, Vec<Event>) {
        let (events, seen) = Events::channel();
        let inbox = match self.receiver.take() {
            Some(receiver) => Inbox::of_receiver(receiver, &events),
            None => Inbox::of_counters(&events),
        };
        let proof = self.prove_by(inbox, options, &events, cancel).await;
        drop(events);
        (proof, drain(seen))
    }

    /// The same with a bot as the witness that reads the channel of the alert's severity.
    pub async fn prove_in_channel(&self, api_url: String, token: &str) -> (Result<Proof>, Vec<Event>) {
        let (events, seen) = Events::channel();
        let rule = &rules(&self.spec)[0];
        let places: MessageChannels =
            [self.spec.notify.route(&rule.name, &rule.labels)].into_iter().collect();
        let reader = Reader { shell: &Here, api_url, token: Secret::new(token.to_owned()), proxy_url: None };
        let watched = reader.watch(&places).await.unwrap();
        let (inbox, slot) = Inbox::of_channel(&events);
        let cancel = Cancel::default();
        let proof = tokio::select! {
            proof = self.prove_by(inbox, Options::default(), &events, &cancel) => proof,
            never = watched.follow(&slot) => match never {},
        };
        drop((events, slot));
        (proof, drain(seen))
    }

    async fn prove_by(
        &self,
        inbox: Inbox,
        options: Options,
        events: &Events,
        cancel: &Cancel,
    ) -> Result<Proof> {
        let services = Services {
            prometheus: Prometheus::new(&Endpoint::Tcp(self.prometheus)).unwrap(),
            alertmanager: Alertmanager::new(&Endpoint::Tcp(self.alertmanager_address)).unwrap(),
            inbox,
        };
        let request = Request {
            subject: Subject { alert: "HighCPUUsage".into(), address: LOOPBACK.to_string() },
            host: HostName::app(1),
            kind: DrillKind::Cpu,
            settings: self.settings(),
            mutes: self.mutes(),
            application: Application { port: 8000, metrics_port: 9101, workers: 2 },
            floor: 0.0,
            options,
        };
        let requests = [request];
        let mut round = Round::default();
        let catalogue = &self.spec.catalogue;
        Box::pin(prove(&requests, services, &*self.host, catalogue, events, cancel, &mut round)).await?;
        round.verdicts.into_iter().next().unwrap().1
    }

    fn mutes(&self) -> Mutes {
        let rule = &rules(&self.spec)[0];
        Mutes::of(self.spec.notify.route(&rule.name, &rule.labels))
    }
}

/// This computer, in place of a monitoring host that reads Slack.
pub struct Here;

impl Shell for Here {
    async fn run(&self, words: &[&str], input: &[u8]) -> Result<CommandOutput> {
        let (words, input): (Vec<String>, Vec<u8>) =
            (words.iter().map(ToString::to_string).collect(), input.into());
        let output = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(&input).unwrap();
            child.wait_with_output().unwrap()
        });
        let std::process::Output { status, stdout, stderr } = output.await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ok(CommandOutput { status, stdout: text(stdout), stderr: text(stderr) })
    }
}

fn drain(mut events: UnboundedReceiver<Event>) -> Vec<Event> {
    std::iter::from_fn(|| events.try_recv().ok()).collect()
}

fn spec(folder: &Path, notify: &str, Timings { group_wait, group_interval }: &Timings) -> Spec {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notes");
    let app = app.display();
    let text = format!(
        "version: 1\nproject: pipeline\nprovider: local\napp: {{path: {app}, wsgi: notes.wsgi}}\n\
         monitoring: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
         alerts: {{HighCPUUsage: {{above: 80, for: 2s}}}}\n\
         notify: {{{notify}, group_wait: {group_wait}, group_interval: {group_interval}}}\n"
    );
    let path = folder.join("monctl.yaml");
    fs::write(&path, text).unwrap();
    load(&path).unwrap().spec
}

/// monctl's rules and its Alertmanager configuration as they are rendered, and a Prometheus that knows the host.
fn configure(spec: &Spec, folder: &Path, host: &Host, alertmanager: SocketAddr, webhook: &str) {
    let bundle = Bundle::render(spec, &Addresses::default()).unwrap();
    let rendered = |end: &str| {
        let (_, content) = bundle.iter().find(|(name, _)| name.ends_with(end)).unwrap();
        content.masked().into_owned()
    };
    let url_file = folder.join("webhook");
    fs::write(&url_file, webhook).unwrap();
    let lines = rendered("alertmanager.yml")
        .lines()
        .map(|line| match line.split_once("api_url_file:") {
            Some((before, _)) => format!("{before}api_url_file: {}\n", url_file.display()),
            None => format!("{line}\n"),
        })
        .collect::<String>();
    // An inhibition as in a user's own configuration.
    let inhibition = "inhibit_rules:\n  - source_matchers: [alertname = HostDown]\n    equal: [nothing]\n    \
                      target_matchers: [alertname = HighCPUUsage]\n";
    fs::write(folder.join("alertmanager.yml"), lines + inhibition).unwrap();
    fs::write(folder.join("alert_rules.yml"), rendered("alert_rules.yml")).unwrap();
    let prometheus = json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "rule_files": ["alert_rules.yml"],
        "scrape_configs": [{"job_name": "node-exporter", "static_configs": [{"targets": [host.address]}]}],
    });
    fs::write(folder.join("prometheus.yml"), prometheus.to_string()).unwrap();
}

pub fn alertmanager_process(program: &Path, folder: &Path, address: SocketAddr) -> Process {
    let log = fs::File::create(folder.join("alertmanager.log")).unwrap();
    let process = with_its_templates(program)
        .current_dir(folder)
        .arg("--config.file=alertmanager.yml")
        .args(["--storage.path=alertmanager", "--cluster.listen-address="])
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    Process(Mutex::new(process.unwrap()))
}

/// Debian's Alertmanager reads its templates from a fixed path. Where the package is only unpacked, it sees
/// the unpacked folder there, in a mount namespace of its own.
fn with_its_templates(program: &Path) -> Command {
    const TEMPLATES: &str = "share/prometheus/alertmanager/default.tmpl";
    let usr = program.parent().and_then(Path::parent).unwrap();
    if Path::new("/usr").join(TEMPLATES).exists() || !usr.join(TEMPLATES).exists() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c"]);
    command
        .arg("mount --bind \"$0/share\" /usr/share && exec \"$0/bin/prometheus-alertmanager\" \"$@\"")
        .arg(usr);
    command
}

pub fn prometheus_process(program: &Path, folder: &Path, address: SocketAddr) -> Process {
    let process = Command::new(program)
        .current_dir(folder)
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=prometheus"])
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("prometheus.log")).unwrap())
        .spawn();
    Process(Mutex::new(process.unwrap()))
}

/// A host with a node exporter and a CPU load that the test sets.
pub struct Host {
    pub address: SocketAddr,
    pub starts: Mutex<Vec<Order>>,
    pub kept: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The host ignores the stop of a drill.
    pub is_deaf: Mutex<bool>,
    /// The undo of a drill fails.
    pub undo_fails: Mutex<bool>,
    pub exported: Mutex<String>,
    /// The load ends after this time, whatever its time limit.
    pub dies_after: Mutex<Option<Duration>>,
    cpu: Arc<Mutex<Cpu>>,
    log: PathBuf,
    server: tokio::task::JoinHandle<()>,
    is_gone: Arc<Mutex<bool>>,
}

/// One CPU's idle counter; all CPUs are alike.
struct Cpu {
    idle: f64,
    since: Instant,
    busy: f64,
    until: Option<Instant>,
}

impl Cpu {
    /// Advances the counter to now.
    fn count(&mut self) -> f64 {
        let now = Instant::now();
        if let Some(until) = self.until.filter(|&until| until <= now) {
            self.advance(until);
            (self.busy, self.until) = (0.02, None);
        }
        self.advance(now);
        self.idle
    }

    fn advance(&mut self, to: Instant) {
        self.idle += to.saturating_duration_since(self.since).as_secs_f64() * (1.0 - self.busy);
        self.since = self.since.max(to);
    }

    fn set(&mut self, busy: f64, until: Option<Instant>) {
        self.count();
        (self.busy, self.until) = (busy, until);
    }
}

impl Host {
    async fn start(log: PathBuf) -> Self {
        let cpu = Arc::new(Mutex::new(Cpu { idle: 5_000.0, since: Instant::now(), busy: 0.02, until: None }));
        let listener = tokio::net::TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&cpu);
        let is_gone = Arc::new(Mutex::new(false));
        let gone = Arc::clone(&is_gone);
        let metrics = move || {
            // Prometheus keeps its connection, and with it this end of an aborted server.
            assert!(!*gone.lock().unwrap(), "the exporter is gone");
            let idle = shared.lock().unwrap().count();
            let lines = (0..CPUS)
                .map(|cpu| format!("node_cpu_seconds_total{{cpu=\"{cpu}\",mode=\"idle\"}} {idle}\n"));
            std::future::ready(lines.collect::<String>())
        };
        let app = axum::Router::new().route("/metrics", axum::routing::get(metrics));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Self {
            address,
            starts: Mutex::default(),
            kept: Mutex::default(),
            is_deaf: Mutex::default(),
            undo_fails: Mutex::default(),
            exported: Mutex::default(),
            dies_after: Mutex::default(),
            cpu,
            log,
            server,
            is_gone,
        }
    }

    /// Makes the CPUs busy without any drill.
    pub fn busy(&self, share: f64) {
        self.cpu.lock().unwrap().set(share, None);
    }

    /// Whether the CPUs are busy now.
    pub fn is_busy(&self) -> bool {
        let mut cpu = self.cpu.lock().unwrap();
        cpu.count();
        cpu.busy > 0.5
    }

    /// Its node exporter answers no more.
    pub fn go_away(&self) {
        self.server.abort();
        *self.is_gone.lock().unwrap() = true;
    }
}

impl Site for Host {
    async fn start(&self, order: &Order) -> Result<()> {
        self.starts.lock().unwrap().push(order.clone());
        let HostFault::Cpu { workers, percent, .. } = order.cause else { panic!("{order:?}") };
        let time = self.dies_after.lock().unwrap().unwrap_or(Duration::from_secs(order.seconds));
        let busy = f64::from(workers.min(CPUS)) / f64::from(CPUS) * f64::from(percent) / 100.0;
        self.cpu.lock().unwrap().set(busy.min(0.99), Some(Instant::now() + time));
        Ok(())
    }

    async fn beat(&self, _name: &str) -> Result<()> {
        Ok(())
    }

    async fn stop(&self, _name: &str) -> Result<(), StopFailure> {
        if *self.undo_fails.lock().unwrap() {
            let error = Error::failed("the undo of the drill failed: the fault may still be there");
            return Err(StopFailure::UndoFailed(error.because("no queue").remedy("end the fault by hand")));
        }
        if *self.is_deaf.lock().unwrap() {
            return Err(Error::failed("the ssh connection broke").into());
        }
        self.busy(0.02);
        Ok(())
    }

    async fn release(&self) -> Result<()> {
        Ok(self.stop("").await?)
    }

    async fn is_on(&self, _name: &str) -> Result<bool> {
        Ok(self.is_busy())
    }

    async fn alertmanager_log(&self, _seconds: u64) -> Result<String> {
        Ok(fs::read_to_string(&self.log).unwrap())
    }

    async fn keep(&self, name: &str, proof: &[u8]) -> Result<()> {
        self.kept.lock().unwrap().insert(name.to_owned(), proof.to_vec());
        Ok(())
    }

    async fn kept(&self) -> Result<Vec<KeptFile>> {
        let kept = self.kept.lock().unwrap().clone();
        Ok(kept.into_iter().map(|(name, content)| KeptFile { name, content }).collect())
    }

    async fn export(&self, rules: &[u8]) -> Result<()> {
        *self.exported.lock().unwrap() = String::from_utf8(rules.to_vec()).unwrap();
        Ok(())
    }
}
