//! What a drill promises of the machine that it loads: the load ends at its limit whatever becomes of monctl,
//! there is one at a time, and proofs are kept.

use std::time::{Duration, Instant};

use monctl::error::Exit;
use monctl::host::{HostName, Machine};
use monctl::remote::Remote;
use monctl::verify::{Hosts, LastProof, Load, Site, last_proofs};

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
