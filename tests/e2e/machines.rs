//! What the local provider promises of machines: they boot, are reached by pinned keys only, have a network,
//! outlive monctl and reboots, keep to their project, and go without a trace.

use std::future::Future;
use std::time::Instant;

use monctl::host::HostName;
use monctl::provider::MachineState;

use crate::support::{TestProject, runtime};

const APP: HostName = HostName::app(1);
const MONITORING: HostName = HostName::MONITORING;

/// Runs a test with a project of its own, where machines can be made.
fn with_project<F: Future<Output = ()>>(test: impl FnOnce(TestProject) -> F) {
    if let Some(project) = TestProject::new() {
        runtime().block_on(test(project));
    }
}

#[test]
fn two_machines_boot_side_by_side_and_reach_the_world() {
    with_project(|project| async move {
        let provider = &project.provider;
        assert!(provider.observe().await.unwrap().machines.is_empty());
        provider.create_network().await.unwrap();
        let start = Instant::now();
        let (app, monitoring) =
            tokio::join!(provider.create_machine(APP), provider.create_machine(MONITORING));
        let took = start.elapsed();
        let (app, monitoring) = (app.unwrap(), monitoring.unwrap());
        eprintln!("two machines: {took:?}");
        assert_eq!(project.output(APP, "hostname; systemctl is-system-running --wait"), "app\nrunning");
        assert_eq!(project.output(MONITORING, "hostname"), "monitoring");

        let ping = format!("timeout 5 bash -c '</dev/tcp/{}/22'", monitoring.address);
        project.output(APP, &ping);
        project.output(APP, "apt-get update");
        assert!(project.output(APP, "hostname -I").contains(&app.address.to_string()));

        let observed = provider.observe().await.unwrap();
        assert!(observed.network);
        let states: Vec<_> = observed.machines.iter().map(|(host, found)| (*host, found.state)).collect();
        assert_eq!(states, [(APP, MachineState::Running), (MONITORING, MachineState::Running)]);
        assert_eq!(observed.machines[&APP].machine, app);
        let start = Instant::now();
        provider.observe().await.unwrap();
        eprintln!("observe: {:?}", start.elapsed());
    });
}
