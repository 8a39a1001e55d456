//! The local provider's machines: they boot, are reached by pinned keys only, have a network, outlive monctl and
//! reboots, do not affect other projects, and are removed without a trace.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

use monctl::event::Events;
use monctl::host::HostName;
use monctl::provider::{MachineState, Observed, Provider as _};
use monctl::remote::Remote;

use crate::test_project::{TestProject, destroy, provider, runtime};
use crate::traces::Traces;

const APP: HostName = HostName::app(1);
const MONITORING: HostName = HostName::MONITORING;

/// Fails unless all package mirrors answer soon.
const REACH_MIRRORS: &str = "timeout 60 apt-get -o APT::Update::Error-Mode=any -o Acquire::Retries=0 -o Acquire::http::Timeout=20 update";

/// Names the project for [`makes_a_machine_for_another_test`].
const PROJECT: &str = "MONCTL_TEST_PROJECT";

/// Runs a test with a project of its own, if machines can be created here.
fn with_project(test: impl AsyncFnOnce(&TestProject)) {
    if let Some(project) = TestProject::new() {
        runtime().block_on(test(&project));
    }
}

/// Creates network and machines, as `up` does.
async fn make(project: &TestProject, hosts: &[HostName]) {
    project.provider.create_network().await.unwrap();
    for host in hosts {
        project.provider.create_machine(*host).await.unwrap();
    }
}

fn states(observed: &Observed) -> Vec<(HostName, MachineState)> {
    observed.machines.iter().map(|(host, found)| (*host, found.state)).collect()
}

/// Waits up to a minute for a condition.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn two_machines_boot_side_by_side_and_reach_each_other_and_the_world() {
    with_project(async |project| {
        let provider = &project.provider;
        assert_eq!(states(&provider.observe().await.unwrap()), []);
        provider.create_network().await.unwrap();
        let (app, monitoring) =
            tokio::join!(provider.create_machine(APP), provider.create_machine(MONITORING));
        let (app, monitoring) = (app.unwrap(), monitoring.unwrap());

        assert_eq!(project.output(APP, "hostname; systemctl is-system-running --wait"), "app\nrunning");
        assert_eq!(project.output(MONITORING, "hostname"), "monitoring");
        project.output(APP, &format!("timeout 5 bash -c '</dev/tcp/{}/22'", monitoring.address));
        project.output(APP, REACH_MIRRORS);

        let observed = provider.observe().await.unwrap();
        assert!(observed.network);
        assert_eq!(states(&observed), [(APP, MachineState::Running), (MONITORING, MachineState::Running)]);
        assert_eq!(observed.machines[&APP].machine, app);
    });
}

/// As when one host is installed for minutes while the other has nothing to do.
#[test]
fn an_idle_connection_stays_open() {
    with_project(async |project| {
        project.provider.create_network().await.unwrap();
        let machine = project.provider.create_machine(APP).await.unwrap();
        let remote = Remote::connect(&machine, Duration::from_mins(1), &Events::channel().0).await.unwrap();
        // ssh closes connections that are idle for ten seconds.
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert!(remote.run(&["true"], b"").await.unwrap().status.success());
    });
}

#[test]
fn a_machine_trusts_the_certificates_that_this_computer_trusts() {
    with_project(async |project| {
        make(project, &[APP]).await;
        let folder = Path::new("/usr/local/share/ca-certificates");
        let bundle = project.output(APP, "cat /etc/ssl/certs/ca-certificates.crt");
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let certificate = fs::read_to_string(entry.path()).unwrap();
            let body = certificate.lines().find(|line| !line.starts_with('-')).unwrap();
            assert!(bundle.contains(body), "{}", entry.path().display());
        }
    });
}

#[test]
fn a_machine_with_a_wrong_or_unknown_host_key_is_rejected() {
    with_project(async |project| {
        make(project, &[APP]).await;
        let other = tempfile::tempdir().unwrap();
        let key = other.path().join("key");
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.unwrap().success());
        let pinned = fs::read_to_string(project.folder().join("ssh/known_hosts")).unwrap();
        let address = pinned.split([',', ' ']).nth(1).unwrap();
        let public = fs::read_to_string(key.with_extension("pub")).unwrap();
        for known_hosts in [format!("{address} {public}"), String::new()] {
            fs::write(project.folder().join("ssh/known_hosts"), known_hosts).unwrap();
            let output = project.ssh(APP, "true");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(
                !output.status.success() && stderr.contains("Host key verification failed"),
                "{output:?}"
            );
        }
        // `observe` detects that, and the network is completed again.
        assert!(!project.provider.observe().await.unwrap().network);
        project.provider.create_network().await.unwrap();
        project.output(APP, "true");
    });
}

#[test]
fn a_lost_client_key_is_replaced_on_running_machines() {
    with_project(async |project| {
        make(project, &[APP]).await;
        for half in ["id_ed25519", "id_ed25519.pub"] {
            fs::remove_file(project.folder().join("ssh").join(half)).unwrap();
            assert!(!project.provider.observe().await.unwrap().network);
            project.provider.create_network().await.unwrap();
            project.output(APP, "true");
        }
    });
}

#[test]
fn machines_outlive_the_process_that_made_them_and_another_one_finds_them() {
    with_project(async |project| {
        let mut maker = maker(project);
        assert!(maker.wait().unwrap().success());
        // Kills the process group, as a terminal does when it is closed.
        let group = format!("-{}", maker.id());
        Command::new("sh").args(["-c", "kill -KILL \"$1\"", "sh", &group]).status().unwrap();
        let observed = project.provider.observe().await.unwrap();
        assert!(observed.network);
        assert_eq!(states(&observed), [(APP, MachineState::Running)]);
        project.output(APP, "true");
        let traces = Traces::of(project).found();
        assert!(traces.iter().any(|line| line.starts_with("systemd-nspawn ")), "{traces:?}");
    });
}

#[test]
fn after_a_reboot_of_this_computer_machines_come_back_with_their_disks() {
    with_project(async |project| {
        make(project, &[APP, MONITORING]).await;
        project.output(APP, "echo precious >/root/data && sync");
        let before = project.provider.observe().await.unwrap();
        Traces::of(project).end_as_a_reboot_does();

        let observed = project.provider.observe().await.unwrap();
        assert!(!observed.network);
        assert_eq!(states(&observed), [(APP, MachineState::Stopped), (MONITORING, MachineState::Stopped)]);
        project.provider.create_network().await.unwrap();
        for host in [APP, MONITORING] {
            project.provider.start_machine(host).await.unwrap();
        }
        assert_eq!(project.output(APP, "cat /root/data"), "precious");
        assert_eq!(project.provider.observe().await.unwrap(), before);
    });
}

#[test]
fn a_machine_that_reboots_itself_comes_back() {
    with_project(async |project| {
        make(project, &[APP]).await;
        project.output(APP, "touch /run/before");
        project.ssh(APP, "systemctl reboot");
        eventually("the machine is back", || project.ssh(APP, "test ! -e /run/before").status.success());
    });
}

#[test]
fn a_machine_that_was_switched_off_is_started_again() {
    with_project(async |project| {
        make(project, &[APP]).await;
        project.ssh(APP, "systemctl poweroff");
        let deadline = Instant::now() + Duration::from_mins(1);
        while states(&project.provider.observe().await.unwrap()) != [(APP, MachineState::Stopped)] {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        project.provider.start_machine(APP).await.unwrap();
        project.output(APP, "true");
    });
}

#[test]
fn a_machine_that_cannot_boot_is_reported_with_its_console_output() {
    with_project(async |project| {
        make(project, &[APP]).await;
        for init in ["usr/lib/systemd/systemd", "usr/sbin/init"] {
            fs::remove_file(project.folder().join("machines/app/root").join(init)).unwrap();
        }
        Traces::of(project).end_as_a_reboot_does();
        project.provider.create_network().await.unwrap();
        let error = project.provider.start_machine(APP).await.unwrap_err();
        assert_eq!(error.message(), "machine `app` exited during boot");
        assert!(error.causes().concat().contains("No such file or directory"), "{:?}", error.causes());
    });
}

#[test]
fn a_lost_bridge_is_created_again_and_running_machines_are_connected_to_it() {
    with_project(async |project| {
        make(project, &[APP]).await;
        let removed = Traces::of(project).remove_bridge();
        assert!(removed);
        assert!(!project.provider.observe().await.unwrap().network);
        project.provider.create_network().await.unwrap();
        assert!(project.provider.observe().await.unwrap().network);
        project.output(APP, "true");
    });
}

#[test]
fn removing_one_machine_leaves_the_others() {
    with_project(async |project| {
        let second = HostName::app(2);
        make(project, &[APP, second]).await;
        project.provider.remove_machine(second).await.unwrap();
        let observed = project.provider.observe().await.unwrap();
        assert!(observed.network);
        assert_eq!(states(&observed), [(APP, MachineState::Running)]);
        project.output(APP, "true");
        project.provider.remove_machine(second).await.unwrap();
    });
}

#[test]
fn concurrent_projects_do_not_affect_each_other() {
    with_project(async |first| {
        let Some(second) = TestProject::new() else { return };
        make(first, &[APP]).await;
        make(&second, &[APP]).await;
        let address = async |project: &TestProject| {
            project.provider.observe().await.unwrap().machines[&APP].machine.address
        };
        let (here, there) = (address(first).await, address(&second).await);
        assert_ne!(here, there);
        let connect = format!("timeout 2 bash -c '</dev/tcp/{there}/22'");
        assert!(!first.ssh(APP, &connect).status.success(), "one project reaches the other");

        let before = first.provider.observe().await.unwrap();
        assert_eq!(destroy(&second.name), []);
        assert_eq!(first.provider.observe().await.unwrap(), before);
        first.output(APP, REACH_MIRRORS);
    });
}

#[test]
fn nothing_is_left_of_a_destroyed_project() {
    with_project(async |project| {
        make(project, &[APP, MONITORING]).await;
        let traces = Traces::of(project);
        assert!(traces.found().len() > 5, "{:?}", traces.found());
        // With only the name, as after the loss of everything else.
        let nameless = provider(&project.name);
        let removed = nameless.destroy().await.unwrap();
        assert!(removed.iter().any(|piece| piece.to_string() == "machine `app`"), "{removed:?}");
        assert_eq!(nameless.leftovers().await.unwrap(), []);
        assert_eq!(traces.found(), Vec::<String>::new());
        assert_eq!(nameless.destroy().await.unwrap(), []);
    });
}

#[test]
fn nothing_of_an_unfinished_machine_is_reused() {
    with_project(async |project| {
        make(project, &[]).await;
        let upper = project.folder().join("machines/app/upper/root");
        fs::create_dir_all(&upper).unwrap();
        fs::write(upper.join("stale"), "").unwrap();
        assert_eq!(states(&project.provider.observe().await.unwrap()), [(APP, MachineState::Unfinished)]);
        make(project, &[APP]).await;
        project.output(APP, "test ! -e /root/stale");
    });
}

#[test]
fn remains_of_a_killed_run_are_completed_or_removed() {
    for after in [10, 40, 90, 180, 400, 800].map(Duration::from_millis) {
        with_project(async |project| {
            kill_after(maker(project), after);
            make(project, &[]).await;
            let found = project.provider.observe().await.unwrap();
            match found.machines.get(&APP).map(|found| found.state) {
                None | Some(MachineState::Unfinished) => project.provider.create_machine(APP).await.unwrap(),
                Some(_) => project.provider.start_machine(APP).await.unwrap(),
            };
            eventually("the machine answers", || project.ssh(APP, "true").status.success());
        });
        with_project(async |project| {
            kill_after(maker(project), after);
            assert_eq!(destroy(&project.name), [], "killed after {after:?}");
            assert_eq!(Traces::of(project).found(), Vec::<String>::new(), "killed after {after:?}");
        });
    }
}

/// A process, in a process group of its own, that creates a machine for this project.
fn maker(project: &TestProject) -> Child {
    let this = env::current_exe().unwrap();
    let mut command = Command::new(this);
    command.args(["--exact", "machines::makes_a_machine_for_another_test", "--ignored"]);
    command.env(PROJECT, project.name.as_str()).stdout(Stdio::null()).process_group(0).spawn().unwrap()
}

fn kill_after(mut process: Child, after: Duration) {
    sleep(after);
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
#[ignore = "run by other tests, in a process of its own"]
fn makes_a_machine_for_another_test() {
    let Ok(name) = env::var(PROJECT) else { return };
    runtime().block_on(async {
        let provider = provider(&name.parse().unwrap());
        provider.create_network().await.unwrap();
        provider.create_machine(APP).await.unwrap();
    });
}
