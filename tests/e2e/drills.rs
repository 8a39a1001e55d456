//! Drills on hosts: the fault is caused, it is undone at its limit, also if monctl, the network or the host fails; each
//! runs once at a time; and proofs are stored.

use std::process::Command;
use std::time::{Duration, Instant};

use monctl::drill::{DrillHosts, HostFault, LEASE, Order, Site as _, StopFailure, UNDOING};
use monctl::error::Exit;
use monctl::event::Events;
use monctl::host::{HostName, Machine};
use monctl::provider::Provider as _;
use monctl::remote::Remote;
use monctl::timing::Stage;
use monctl::verify::{KeptProofs, LastProof, last_proofs};
use serde_json::{Value, json};

use crate::site::{MONITORING, Site, eventually};
use crate::slack::{Slack, TOKEN};
use crate::test_project::{TestProject, runtime};

const APP: HostName = HostName::app(1);
const INSTALL: &str = "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y stress-ng";
/// One worker that leaves the computer to others.
const CPU: HostFault = HostFault::Cpu { workers: 1, percent: 10, nice: 19 };
/// As fast as a worker is replaced.
const WORKERS: HostFault = HostFault::ReplacedWorkers { port: 9101, workers: 2, every: 1_000 };

fn order(name: &str, seconds: u64, cause: HostFault) -> Order {
    Order { name: name.into(), seconds, cause }
}

async fn connect(machine: &Machine) -> Remote {
    Remote::connect(machine, Duration::from_mins(1), &Events::channel().0).await.unwrap()
}

/// How many processes of stress-ng the machine has; also those that systemd does not know of.
fn stressors(project: &TestProject) -> usize {
    project.output(APP, "pgrep -c stress-ng || true").parse().unwrap()
}

#[test]
fn a_load_ends_at_its_limit_even_without_monctl() {
    let Some(project) = TestProject::new() else { return };
    runtime().block_on(async {
        project.provider.create_network().await.unwrap();
        let machine = project.provider.create_machine(APP).await.unwrap();
        let remote = connect(&machine).await;
        let hosts = DrillHosts { app: &remote, monitoring: &remote };

        let error = hosts.start(&order("Load", 3, CPU)).await.unwrap_err();
        assert_eq!(error.exit(), Exit::CouldNotRun);
        assert_eq!(error.hint(), Some("`monctl up` installs it"));
        assert_eq!(project.output(APP, "systemctl list-units --all --plain 'monctl-drill*' --no-legend"), "");
        assert_eq!(
            project.output(APP, "ls -d /run/monctl-drill || true"),
            "",
            "a refused drill leaves nothing"
        );
        hosts.stop("Load").await.expect("stopping without a load succeeds");
        project.output(APP, INSTALL);

        hosts.start(&order("Load", 60, CPU)).await.unwrap();
        assert!(hosts.is_on("Load").await.unwrap());
        let error = hosts.start(&order("Load", 3, CPU)).await.unwrap_err();
        assert!(error.message().contains("the drill is already running"), "{error}");
        let limit = project.output(APP, "systemctl show --property RuntimeMaxUSec --value monctl-drill-Load");
        assert_eq!(limit, "1min 5s", "systemd's own limit is the fallback of the drill's");
        let user = project.output(APP, "ps -o uid= -C stress-ng | sort -u | tr -d ' '");
        assert_ne!(user, "0", "the load must not run as root");
        let resident =
            project.output(APP, "ps -e -o rss=,args= | awk '/[s]tress-ng/ { sum += $1 } END { print sum }'");
        assert!(
            resident.parse::<u64>().unwrap() < 256 << 10,
            "a load on the CPU takes {resident} kB of memory"
        );
        hosts.stop("Load").await.unwrap();
        assert!(!hosts.is_on("Load").await.unwrap());
        assert_eq!(stressors(&project), 0);

        hosts.start(&order("Load", 3, CPU)).await.unwrap();
        // Only the connection ends with monctl; no stop is sent.
        drop(remote);
        let begin = Instant::now();
        while stressors(&project) > 0 {
            assert!(begin.elapsed() < LEASE, "the load goes on");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        keeps_proofs(&connect(&machine).await).await;
    });
}

async fn keeps_proofs(remote: &Remote) {
    let hosts = DrillHosts { app: remote, monitoring: remote };
    assert_eq!(last_proofs(remote).await.unwrap(), KeptProofs::default());
    let proof = |alert: &str, proven| LastProof {
        alert: alert.into(),
        proven,
        at: "2026-11-24T03:00:00Z".parse().unwrap(),
        last_proven: None,
        host: "app".into(),
        delivered_after: proven.then_some(18_300),
        stopped_at: None,
    };
    for kept in [proof("Zzz", false), proof("HighCPUUsage", false), proof("HighCPUUsage", true)] {
        let json = serde_json::to_vec(&kept).unwrap();
        hosts.keep(&format!("{}.json", kept.alert), &json).await.unwrap();
    }
    let expected = vec![proof("HighCPUUsage", true), proof("Zzz", false)];
    assert_eq!(last_proofs(remote).await.unwrap().proofs, expected, "the last one of each alert");
    let torn = "printf '{' >/var/lib/monctl/proofs/AppDown.json";
    assert!(remote.run(&["sh", "-c", torn], b"").await.unwrap().status.success());
    let kept = last_proofs(remote).await.unwrap();
    assert_eq!(kept.proofs, expected, "a torn proof hides no other");
    assert_eq!(kept.unreadable[0].file, "AppDown.json");
}

/// The machines whose node exporters show the CPUs of the whole computer.
const PAIR: [HostName; 2] = [APP, MONITORING];

/// Replaces node exporters with a stand-in that sees only its own machine's load. `on` runs a command on a machine.
pub fn show_own_cpu_only(on: impl Fn(HostName, &str) -> String) {
    let exporter = include_str!("../doubles/cpu_exporter.py");
    let answers = "curl --fail --silent --output /dev/null localhost:9100/metrics";
    for host in PAIR {
        on(host, &format!("cat >/run/cpu_exporter.py <<'EOF'\n{exporter}\nEOF"));
        on(
            host,
            "systemctl stop monctl-node-exporter && systemd-run --quiet --unit=cpu-exporter python3 /run/cpu_exporter.py",
        );
        on(host, &format!("timeout 30 sh -c 'until {answers}; do sleep 0.1; done'"));
    }
}

/// Node exporters show the CPUs of the whole computer again. An `up` may have started them meanwhile: then they wait for
/// their port, and are started anew.
pub fn show_all_cpus(on: impl Fn(HostName, &str) -> String) {
    for host in PAIR {
        on(host, "systemctl stop cpu-exporter monctl-node-exporter && systemctl start monctl-node-exporter");
    }
}

fn is_loaded(site: &Site) -> bool {
    site.on(APP, "systemctl is-active monctl-drill-HighCPUUsage || true") == "active"
}

#[test]
fn an_alert_is_proven_on_real_machines_and_an_interruption_ends_the_load() {
    let Some(site) = Site::new() else { return };
    site.edit("monctl.yaml", "group_wait: 1s", "group_wait: 1s\n  group_interval: 4s");
    site.edit("monctl.yaml", "for: 10s", "for: 4s");
    site.monctl("up --yes").success();
    show_own_cpu_only(|host, command| site.on(host, command));

    let ran = site.monctl("--output json verify-alert").success();
    let proof = ran.json();
    assert_eq!((&proof["proven"], &proof["witness"]), (&json!(true), &json!("receiver")), "{proof:#}");
    let timeline = proof["timeline"].as_array().unwrap();
    let stages: Vec<&str> = timeline.iter().filter_map(|entry| entry["stage"].as_str()).collect();
    assert_eq!(stages, Stage::ALL.map(Stage::name));
    assert!(!is_loaded(&site), "the load ends at delivery");
    let status = site.monctl("--output json status").json();
    assert_eq!(status["monitoring"]["proofs"][0]["proven"], true, "{status:#}");

    let (code, took, output) = site.signal_at("verify-alert", r#""stage":"load on""#, "INT");
    assert_eq!(code, Some(Exit::Interrupted.code().into()), "{output}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!is_loaded(&site), "an interrupted run ends its load");

    site.monctl("verify-alert --cpu-load 40")
        .code(Exit::CouldNotRun.code().into())
        .stderr_contains("what works:");

    site.monctl("silence HighCPU --for 1h --why x").code(2).stderr_contains("did you mean `HighCPUUsage`?");
    let words = "--output json silence HighCPUUsage --for 1h --host app --why migration";
    let created = site.monctl(words).success().json();
    let id = created["id"].as_str().unwrap();
    // Node exporter's own unit is replaced: `status` reports that, too.
    let status = site.monctl("status").code(1);
    status
        .stdout_contains(&format!("silence {id}: alertname=\"HighCPUUsage\", instance=~"))
        .stdout_contains(": migration");
    site.monctl("verify-alert")
        .code(Exit::NotProven.code().into())
        .stdout_contains(&format!("monctl silence --end {id}"));
    site.monctl(&format!("silence --end {id}")).success();
    site.monctl("silence --list").success().stdout_contains("no alert is silenced");

    let ran = site.monctl("--output json verify-receivers").success();
    let receiver = &ran.json()["receivers"][0];
    assert_eq!((&receiver["verdict"], &receiver["witness"]), (&json!("delivered"), &json!("receiver")));
    assert!(receiver["after_ms"].as_u64().unwrap() < 20_000, "{receiver}");
}

/// Everything of the host that a drill may touch.
const STATE: &str = r"
findmnt --raw --noheadings --output TARGET,FSTYPE | grep -v ^/run/user | sort
systemctl is-active monctl-{app.socket,app,app-metrics,node-exporter}
systemctl list-units --all --plain --no-legend 'monctl-drill*'
systemctl list-units --state=failed --plain --no-legend
pgrep --count 'stress-ng' || true
find /mnt /media /var/local /var/opt /run/monctl-drill /run/systemd/transient -name 'monctl-drill*' 2>/dev/null || true
find /mnt /media /var/local /var/opt -mindepth 1
";

/// The memory in use, in percent.
fn used(site: &Site) -> u8 {
    let share = "awk '/^MemTotal/ {t=$2} /^MemAvailable/ {a=$2} END {print int((t-a)*100/t)}' /proc/meminfo";
    site.on(APP, share).parse().unwrap()
}

/// Makes the host report this percentage of its memory as available, or the real one again.
fn pretend_available(site: &Site, percent: Option<u8>) {
    site.on(APP, "! findmnt /proc/meminfo || umount /proc/meminfo");
    if let Some(percent) = percent {
        site.on(
            APP,
            &format!(
                "awk '/^MemTotal/ {{t=$2}} /^MemAvailable/ {{$2=int(t*{percent}/100)}} {{print}}' /proc/meminfo \
                 >/run/meminfo && mount --bind /run/meminfo /proc/meminfo"
            ),
        );
    }
}

fn stop(units: &[&str]) -> HostFault {
    HostFault::Stop { units: units.iter().map(ToString::to_string).collect() }
}

/// One drill of each kind, and what shows that its fault is there. Two sets: the application answers no requests of a
/// drill while it is stopped.
fn every_kind(site: &Site, requests: &HostFault) -> [Vec<(Order, &'static str)>; 2] {
    let asks = match requests {
        HostFault::Requests { delay: 0, .. } => {
            "curl --silent localhost:9101/metrics | grep 'by_status_total{status=\"503\"}'"
        }
        _ => "pgrep --full 'monctl_metrics.drill 8000 200 1500'",
    };
    let beside_others = [
        // Enough that the use of other processes cannot be mistaken for it.
        ("Memory", HostFault::Memory { percent: used(site) + 10 }, "pgrep --full 'stress-ng --vm 1'"),
        ("Cpu", CPU, "pgrep --full 'stress-ng --cpu 1'"),
        (
            "Disk",
            HostFault::Disk { percent: 95 },
            "df --output=pcent,source | grep -E '9[4-9]% +monctl-drill'",
        ),
        (
            "Inodes",
            HostFault::Inodes { percent: 95 },
            "df --output=ipcent,source | grep -E '9[4-9]% +monctl-drill'",
        ),
        (
            "Workers",
            WORKERS,
            "curl --silent localhost:9101/metrics | grep '^monctl_worker_replacements_total [1-9]'",
        ),
        ("Fails", HostFault::FailingUnit, "systemctl is-failed monctl-drill-victim"),
        ("Requests", requests.clone(), asks),
        ("Exporter", stop(&["monctl-node-exporter.service"]), "! systemctl is-active monctl-node-exporter"),
    ];
    let alone =
        [("App", stop(&["monctl-app.socket", "monctl-app.service"]), "! curl --silent localhost:8000")];
    let ordered = |(name, cause, shows)| (order(name, 600, cause), shows);
    [beside_others.map(ordered).into(), alone.map(ordered).into()]
}

/// A command that prints the log of a drill, and which processes use most memory.
fn journal(drill: &str) -> String {
    format!(
        "journalctl --unit=monctl-drill-{drill} --output=cat; ps -e -o rss=,args= --sort=-rss | head -20; cat /proc/meminfo"
    )
}

/// Causes faults, and sees all of them at the end.
async fn cause_all(site: &Site, hosts: &DrillHosts<'_>, faults: &[(Order, &'static str)]) {
    let shows = |shows: &str| site.project.ssh(APP, shows).status.success();
    for (number, (order, seen)) in faults.iter().enumerate() {
        let beat = async || {
            for (earlier, _) in &faults[..number] {
                hosts.beat(&earlier.name).await.unwrap();
            }
        };
        let beating = async {
            loop {
                beat().await;
                tokio::time::sleep(LEASE / 4).await;
            }
        };
        tokio::select! {
            started = hosts.start(order) => started.unwrap(),
            () = beating => {}
        }
        eventually(&format!("the fault of {}", order.name), || shows(seen));
        beat().await;
    }
    for (Order { name, .. }, seen) in faults {
        assert!(hosts.is_on(name).await.unwrap(), "the drill {name} has ended");
        assert!(shows(seen), "the fault of {name} has gone\n{}", site.on(APP, &journal(name)));
    }
}

/// Replaces more workers than there are.
async fn replaces_workers(site: &Site) {
    let remote = connect(&machine(site).await).await;
    let hosts = DrillHosts { app: &remote, monitoring: &remote };
    hosts.start(&order("Workers", 600, WORKERS)).await.unwrap();
    let counted = "curl --silent localhost:9101/metrics | grep '^monctl_worker_replacements_total [3-9]'";
    eventually("three workers are replaced", || site.project.ssh(APP, counted).status.success());
    hosts.stop("Workers").await.unwrap();
}

async fn machine(site: &Site) -> Machine {
    let machines = site.project.provider.observe().await.unwrap().running();
    machines.into_iter().find(|machine| machine.name == APP).unwrap()
}

/// Waits until the host is as before, within the time that is stated.
fn is_as_before(site: &Site, before: &str, after: &str, since: Instant, stated: Duration) {
    loop {
        let output = site.project.ssh(APP, STATE);
        let now = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if now == before {
            return;
        }
        assert!(since.elapsed() < stated, "after {after} the host is\n{now}\nand was\n{before}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The end of the machine's network cable on this computer.
fn cable(site: &Site) -> String {
    let address = site.address(APP);
    let last: u8 = address.rsplit('.').next().unwrap().parse().unwrap();
    let route = Command::new("ip").args(["route", "get", &address]).output().unwrap();
    let route = String::from_utf8(route.stdout).unwrap();
    let token = route.split_whitespace().find_map(|word| word.strip_prefix("mon-")).unwrap();
    format!("vb-m{token}-{last:02x}")
}

fn set_link(cable: &str, state: &str) {
    assert!(Command::new("ip").args(["link", "set", cable, state]).status().unwrap().success());
}

#[test]
fn every_fault_is_undone_in_time_without_monctl_network_or_after_a_reboot() {
    let Some(site) = Site::new() else { return };
    site.monctl("up --yes").success();
    eventually("the application answers", || {
        site.project.ssh(APP, "curl --silent localhost:8000").status.success()
    });
    let before = site.on(APP, STATE);
    site.under_load(|| runtime().block_on(replaces_workers(&site)));
    // A second for the last look, and a busy computer.
    let stated = LEASE + UNDOING + Duration::from_secs(5);
    runtime().block_on(async {
        let machine = machine(&site).await;
        refuses_and_ends_on_an_unhealthy_host(&site, &connect(&machine).await).await;
        is_as_before(&site, &before, "drills on an unhealthy host", Instant::now(), UNDOING);

        let bad = HostFault::Requests { port: 8000, status: 503, delay: 0, rate: 10, together: 1 };
        let slow = HostFault::Requests { port: 8000, status: 200, delay: 1500, rate: 1, together: 1 };
        for faults in every_kind(&site, &bad) {
            let remote = connect(&machine).await;
            cause_all(&site, &DrillHosts { app: &remote, monitoring: &remote }, &faults).await;
            // Only the connection ends with monctl; no stop is sent.
            drop(remote);
            is_as_before(&site, &before, "monctl's end", Instant::now(), stated);
        }
        for faults in every_kind(&site, &slow) {
            let remote = connect(&machine).await;
            cause_all(&site, &DrillHosts { app: &remote, monitoring: &remote }, &faults).await;
            let cable = cable(&site);
            set_link(&cable, "down");
            let cut = Instant::now();
            tokio::time::sleep(LEASE + UNDOING).await;
            set_link(&cable, "up");
            is_as_before(&site, &before, "a cut of the network", cut, stated + UNDOING);
        }
        for faults in every_kind(&site, &bad) {
            let remote = connect(&machine).await;
            cause_all(&site, &DrillHosts { app: &remote, monitoring: &remote }, &faults).await;
            site.on(APP, "touch /run/before");
            site.project.ssh(APP, "systemctl reboot");
            let is_back = || {
                site.project
                    .ssh(APP, "test ! -e /run/before && systemctl is-system-running --wait")
                    .status
                    .success()
            };
            eventually("the host is back", is_back);
            is_as_before(&site, &before, "a reboot", Instant::now(), UNDOING);
        }
    });
}

/// An unhealthy host gets no drill, and a drill ends once its host becomes unhealthy.
async fn refuses_and_ends_on_an_unhealthy_host(site: &Site, remote: &Remote) {
    let hosts = DrillHosts { app: remote, monitoring: remote };
    let refused = async |cause: HostFault, why: &str| {
        let error = hosts.start(&order("Refused", 600, cause)).await.unwrap_err();
        assert!(error.exit() == Exit::CouldNotRun && error.message().contains(why), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("fix that first")), "{error}");
    };
    let disk = HostFault::Disk { percent: 95 };
    pretend_available(site, Some(3));
    refused(disk.clone(), "less than 5% of its memory left").await;
    pretend_available(site, None);
    site.on(APP, "touch /mnt/used /media/used /var/local/used /var/opt/used");
    refused(disk.clone(), "no place to mount a file system").await;
    site.on(APP, "rm /mnt/used /media/used /var/local/used /var/opt/used");
    site.on(APP, "systemctl disable monctl-node-exporter");
    refused(stop(&["monctl-node-exporter.service"]), "a reboot would not bring it back").await;
    site.on(APP, "systemctl enable monctl-node-exporter");

    // An undo that undoes nothing is found.
    let word = |text: &str| text.split(' ').map(str::to_owned).collect();
    let lie = HostFault::Run {
        run: word("/usr/bin/touch /run/fault"),
        undo: word("/usr/bin/true"),
        undone: word("/usr/bin/test ! -e /run/fault"),
    };
    hosts.start(&order("Lie", 600, lie)).await.unwrap();
    let StopFailure::UndoFailed(error) = hosts.stop("Lie").await.unwrap_err() else { panic!("unconfirmed") };
    assert!(error.message().contains("the undo of the drill failed"), "{error}");
    assert_eq!(error.causes(), ["the fault is still there: /usr/bin/test ! -e /run/fault"]);
    site.on(APP, "rm -r /run/fault /run/monctl-drill/Lie");

    hosts.start(&order("Disk", 600, disk)).await.unwrap();
    pretend_available(site, Some(3));
    let ended = |name: &str, why: &str| {
        let command =
            format!("journalctl --unit=monctl-drill-{name} --output=cat | grep 'the drill ends: {why}'");
        site.project.ssh(APP, &command).status.success()
    };
    eventually("the drill has ended", || ended("Disk", "the host has less than 5% of its memory left"));
    pretend_available(site, None);

    let percent = used(site) + 4;
    hosts.start(&order("Memory", 600, HostFault::Memory { percent })).await.unwrap();
    pretend_available(site, Some(100 - percent - 5));
    let taken = || site.on(APP, "pgrep --count stress-ng-vm || true");
    eventually("memory that others need is released", || taken() == "0");
    assert!(hosts.is_on("Memory").await.unwrap(), "it goes on with less");
    pretend_available(site, Some(1));
    eventually("that drill has ended", || ended("Memory", "less than 2% of the memory is left"));
    pretend_available(site, None);
}

/// The alerts that are proven at once, with thresholds that the computer around the machines does not reach.
const ALERTS: &str = "DiskSpaceLow: {above: 98, for: 4s}
  DiskInodesLow: {above: 95, for: 4s}
  SystemdUnitFailed: {for: 4s}
  AppDown: {for: 4s}
  HighServerErrorRate: {for: 4s, window: 8s}
  HighClientErrorRate: {for: 4s, window: 8s}
  HighLatency: {for: 4s, window: 8s}
  WorkersRestarting: {for: 4s, window: 20s}
  HostDown: {for: 4s}
  AlertUnproven: {}
  BacklogGrows:
    expr: node_systemd_unit_state{name=\"shop-backlog.service\",state=\"active\"} == 1
    for: 4s
    drill:
      kind: run
      run: [/usr/local/bin/backlog, fill]
      undo: [/usr/local/bin/backlog, drain]
      undone: [/usr/local/bin/backlog, is-empty]
      reaches: 1
      job: node-exporter
      danger: the backlog of the shop grows
  QueueStopped: {drill: {kind: stop, units: [shop-queue.service], job: node-exporter}}";
/// The rule to which the spec adds a drill.
const QUEUE_STOPPED: &str = r#"groups:
  - name: shop
    rules:
      - alert: QueueStopped
        expr: node_systemd_unit_state{name="shop-queue.service",state="active"} == 0
        for: 4s
"#;
const PROVEN: [&str; 11] = [
    "AppDown",
    "BacklogGrows",
    "DiskInodesLow",
    "DiskSpaceLow",
    "HighClientErrorRate",
    "HighLatency",
    "HighServerErrorRate",
    "HostDown",
    "QueueStopped",
    "SystemdUnitFailed",
    "WorkersRestarting",
];

/// A service of the team's own, and a command that causes a fault of it.
const SHOP: &str = r"printf '[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' \
    >/etc/systemd/system/shop-queue.service
systemctl enable --quiet --now shop-queue
cat >/usr/local/bin/backlog <<'END'
#!/bin/sh
case $1 in
fill) systemd-run --quiet --unit=shop-backlog sleep infinity ;;
drain) systemctl stop shop-backlog ;;
is-empty) ! systemctl is-active --quiet shop-backlog ;;
esac
END
chmod +x /usr/local/bin/backlog";

#[test]
fn all_alerts_are_proven_in_one_run_by_capture_and_by_the_message_in_the_channel() {
    let Some(site) = Site::new() else { return };
    site.edit("monctl.yaml", "group_wait: 1s", "group_wait: 1s\n  group_interval: 4s");
    site.edit("monctl.yaml", "HighCPUUsage: {above: 80, for: 10s}", ALERTS);
    let interval = "evaluation_interval: 1s";
    site.edit("monctl.yaml", interval, &format!("{interval}\n  rules: [shop_rules.yml]"));
    site.write("shop_rules.yml", QUEUE_STOPPED);
    site.monctl("up --yes").success();
    site.on(APP, SHOP);
    let before = site.on(APP, STATE);

    site.monctl("verify-alert --all").code(2).stderr_contains("cannot ask a question without a terminal");
    let ran = site.monctl("--output json verify-alert --all --yes --junit proofs.xml --require 90").success();
    assert_ne!(filled(&ran.stderr, "DiskSpaceLow"), filled(&ran.stderr, "DiskInodesLow"), "{ran}");
    let all = ran.json();
    let proofs = all["proofs"].as_array().unwrap();
    let mut proven: Vec<&str> = proofs.iter().filter_map(|proof| proof["alert"].as_str()).collect();
    proven.sort_unstable();
    assert_eq!(proven, PROVEN, "{all:#}");
    for proof in proofs {
        let timeline = proof["timeline"].as_array().unwrap();
        let stages: Vec<&str> = timeline.iter().filter_map(|entry| entry["stage"].as_str()).collect();
        assert_eq!(stages, Stage::ALL.map(Stage::name), "{proof:#}");
    }
    assert!(
        proofs.iter().any(|one| proofs.iter().any(|other| overlap(one, other))),
        "none ran beside another: {all:#}"
    );
    assert_eq!(site.on(APP, STATE), before, "the host is as before");

    assert_eq!(all["coverage"]["not_proven"], json!(["AlertUnproven"]), "{:#}", all["coverage"]);
    let junit = std::fs::read_to_string(site.path("proofs.xml")).unwrap();
    assert!(junit.contains(r#"tests="12" failures="0" errors="0" skipped="1""#), "{junit}");

    site.monctl("check").success();

    eventually("the last proofs are a metric", || {
        let answer =
            site.json("http://127.0.0.1:9090/api/v1/query?query=monctl_alert_last_proven_timestamp_seconds");
        answer["data"]["result"].as_array().is_some_and(|series| series.len() == PROVEN.len())
    });
    let status = site.monctl("status").success();
    PROVEN
        .iter()
        .fold(status, |status, alert| status.stdout_contains(&format!("last proof of {alert}: ")))
        .stdout_contains("of 12 alerting rules (catalogue, own, rule files), 11 are proven");

    site.on(APP, "systemctl stop monctl-app.socket monctl-app.service");
    eventually("the application is known to be down", || {
        let alerts = site.json("http://127.0.0.1:9090/api/v1/alerts");
        let is_it = |alert: &Value| alert["labels"]["alertname"] == "AppDown" && alert["state"] == "firing";
        alerts["data"]["alerts"].as_array().is_some_and(|alerts| alerts.iter().any(is_it))
    });
    site.monctl("verify-alert DiskSpaceLow")
        .code(Exit::CouldNotRun.code().into())
        .stderr_contains("the host is already unhealthy: `AppDown` has been firing");
    site.on(APP, "systemctl start monctl-app.socket monctl-app.service");

    let (code, ..) =
        site.signal_at("verify-alert DiskSpaceLow HighServerErrorRate", r#""stage":"load on""#, "KILL");
    assert_eq!(code, None, "it was killed");
    is_as_before(
        &site,
        &before,
        "the death of monctl",
        Instant::now(),
        LEASE + UNDOING + Duration::from_secs(5),
    );

    is_found_in_the_channel(&site);
}

/// The mount point in the message of a disk alert.
fn filled(events: &str, alert: &str) -> String {
    let parsed = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut texts = parsed.filter(|event| event["message"]["title"] == format!("[FIRING] {alert}"));
    let text =
        texts.next().unwrap_or_else(|| panic!("no message of {alert}: {events}"))["message"]["text"].clone();
    text.as_str().unwrap().split(' ').find(|word| word.starts_with('/')).unwrap().to_owned()
}

/// Whether two alerts were drilled at the same time.
fn overlap(one: &Value, other: &Value) -> bool {
    let span = |proof: &Value| {
        let at: jiff::Timestamp = proof["at"].as_str().unwrap().parse().unwrap();
        let timeline = proof["timeline"].as_array().unwrap();
        let off = timeline.iter().find(|entry| entry["stage"] == "load off").unwrap();
        (at.as_millisecond(), at.as_millisecond() + off["after"].as_i64().unwrap())
    };
    let ((begin, end), (other_begin, other_end)) = (span(one), span(other));
    one["alert"] != other["alert"] && begin < other_end && other_begin < end
}

fn is_found_in_the_channel(site: &Site) {
    let slack = Slack::start(site);
    site.edit("monctl.yaml", "capture: {}", &slack.spec());
    site.write("webhook", &slack.webhook());
    site.write("token", "xoxb-wrong");
    site.monctl("up --yes").success();
    site.monctl("verify-alert DiskSpaceLow")
        .code(Exit::CouldNotRun.code().into())
        .stderr_contains("Slack responded `invalid_auth`: the bot's token is wrong")
        .stderr_contains("help: copy the Bot User OAuth Token");
    site.write("token", TOKEN);
    let proof = site.monctl("--output json verify-alert DiskSpaceLow").success().stderr_lacks(TOKEN).json();
    assert_eq!((&proof["proven"], &proof["witness"]), (&json!(true), &json!("channel")), "{proof:#}");
    let tested = site.monctl("verify-receivers").success().stdout_lacks(TOKEN);
    tested.stdout_contains("delivered after").stdout_contains("the message is in the channel");
    let messages = slack.messages.lock().unwrap();
    let footers: Vec<&str> =
        messages.iter().filter_map(|it| it["attachments"][0]["footer"].as_str()).collect();
    // A message of a group includes its other alerts, too.
    for state in ["firing ", "resolved "] {
        assert!(
            footers.iter().any(|footer| footer.split("; ").any(|mark| mark.starts_with(state))),
            "{footers:?}"
        );
    }
}
