//! What a drill promises of the machine that it loads: the load ends at its limit whatever becomes of monctl,
//! there is one at a time, and proofs are kept.

use std::time::{Duration, Instant};

use monctl::error::Exit;
use monctl::host::{HostName, Machine};
use monctl::remote::Remote;
use monctl::verify::{Hosts, LastProof, Load, Site as _, Stage, last_proofs};
use serde_json::json;

use crate::site::Site;
use crate::support::{TestProject, runtime};

const APP: HostName = HostName::app(1);
const INSTALL: &str = "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y stress-ng";
/// One worker that leaves the computer to others.
const LOAD: Load = Load { workers: 1, percent: 10, seconds: 3, nice: 19 };

async fn connect(machine: &Machine) -> Remote {
    Remote::connect(machine, Duration::from_mins(1)).await.unwrap()
}

/// How many processes of stress-ng the machine has; also those that systemd does not know of.
fn stressors(project: &TestProject) -> usize {
    project.output(APP, "pgrep -c stress-ng || true").parse().unwrap()
}

#[test]
fn a_load_ends_at_its_limit_whatever_becomes_of_monctl() {
    let Some(project) = TestProject::new() else { return };
    runtime().block_on(async {
        project.provider.create_network().await.unwrap();
        let machine = project.provider.create_machine(APP).await.unwrap();
        let remote = connect(&machine).await;
        let hosts = Hosts { app: &remote, monitoring: &remote };

        let error = hosts.start(&LOAD).await.unwrap_err();
        assert_eq!(error.exit(), Exit::CouldNotRun);
        assert_eq!(error.hint(), Some("`monctl up` installs it"));
        assert_eq!(project.output(APP, "systemctl list-units --all --plain 'monctl-drill*' --no-legend"), "");
        hosts.stop().await.expect("no load is no failure");
        project.output(APP, INSTALL);

        hosts.start(&Load { seconds: 60, ..LOAD }).await.unwrap();
        assert!(hosts.is_loaded().await.unwrap());
        let error = hosts.start(&LOAD).await.unwrap_err();
        assert!(error.message().contains("a drill is under way"), "{error}");
        let limit = project.output(APP, "systemctl show --property RuntimeMaxUSec --value monctl-drill-cpu");
        assert_eq!(limit, "1min 5s", "systemd's own limit stands behind stress-ng's");
        let user = project.output(APP, "ps -o uid= -C stress-ng | sort -u | tr -d ' '");
        assert_ne!(user, "0", "the load is no business of root");
        hosts.stop().await.unwrap();
        assert!(!hosts.is_loaded().await.unwrap());
        assert_eq!(stressors(&project), 0);

        hosts.start(&LOAD).await.unwrap();
        // What ends with monctl is the connection; nothing is told to stop.
        drop(remote);
        let begin = Instant::now();
        while stressors(&project) > 0 {
            assert!(begin.elapsed() < Duration::from_secs(30), "the load goes on");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        keeps_proofs(&connect(&machine).await).await;
    });
}

async fn keeps_proofs(remote: &Remote) {
    let hosts = Hosts { app: remote, monitoring: remote };
    assert_eq!(last_proofs(remote).await.unwrap(), []);
    let proof = |alert: &str, proven| LastProof {
        alert: alert.into(),
        proven,
        at: "2026-11-24T03:00:00Z".parse().unwrap(),
        host: "app".into(),
        delivered_after: proven.then_some(18_300),
        stopped_at: None,
    };
    for kept in [proof("Zzz", false), proof("HighCPUUsage", false), proof("HighCPUUsage", true)] {
        let json = serde_json::to_vec(&kept).unwrap();
        hosts.keep(&format!("{}.json", kept.alert), &json).await.unwrap();
    }
    let expected = [proof("HighCPUUsage", true), proof("Zzz", false)];
    assert_eq!(last_proofs(remote).await.unwrap(), expected, "the last one of each alert");
}

/// Node exporter gives way to a stand-in that sees this machine's load only.
fn show_own_cpu_only(site: &Site) {
    let exporter = include_str!("../doubles/cpu_exporter.py");
    site.on(APP, &format!("cat >/run/cpu_exporter.py <<'EOF'\n{exporter}\nEOF"));
    site.on(APP, "systemctl stop monctl-node-exporter && systemd-run --quiet --unit=cpu-exporter python3 /run/cpu_exporter.py");
    site.on(APP, "timeout 30 sh -c 'until curl --fail --silent --output /dev/null localhost:9100/metrics; do sleep 0.1; done'");
}

fn is_loaded(site: &Site) -> bool {
    site.on(APP, "systemctl is-active monctl-drill-cpu || true") == "active"
}

#[test]
fn an_alert_is_proven_on_real_machines_and_an_interruption_ends_the_load() {
    let Some(site) = Site::new() else { return };
    site.edit("monctl.yaml", "group_wait: 1s", "group_wait: 1s\n  group_interval: 4s");
    site.edit("monctl.yaml", "for: 10s", "for: 4s");
    site.monctl("up --yes").success();
    show_own_cpu_only(&site);

    let ran = site.monctl("--output json verify-alert").success();
    let proof = ran.json();
    assert_eq!((&proof["proven"], &proof["witness"]), (&json!(true), &json!("receiver")), "{proof:#}");
    let timeline = proof["timeline"].as_array().unwrap();
    let stages: Vec<&str> = timeline.iter().filter_map(|entry| entry["stage"].as_str()).collect();
    assert_eq!(stages, Stage::ALL.map(Stage::name));
    assert!(!is_loaded(&site), "the load ends at delivery");
    let status = site.monctl("--output json status").json();
    assert_eq!(status["monitoring"]["proofs"][0]["proven"], true, "{status:#}");

    let (code, took, said) = site.signal_at("verify-alert", r#""stage":"load on""#, "INT");
    assert_eq!(code, Some(Exit::Interrupted.code().into()), "{said}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!is_loaded(&site), "an interrupted run ends its load");

    site.monctl("verify-alert --cpu-load 40")
        .code(Exit::CouldNotRun.code().into())
        .stderr_contains("what works:");
}
