//! Messages and exit codes of monctl when something breaks during or before a run: no failure is reported as success,
//! no verdict is lost, and no alert fails because of a gap in the observation.

use monctl::error::Exit;

use crate::drills::{show_all_cpus, show_own_cpu_only};
use crate::scenarios::{self, scenarios};
use crate::site::{APP, MONITORING, Site, eventually};

/// Event texts of reached stages.
const LOAD_ON: &str = r#""event":"stage","alert":"HighCPUUsage","stage":"load on""#;
const PENDING: &str = r#""event":"stage","alert":"HighCPUUsage","stage":"pending""#;

#[test]
fn failures_are_reported_and_never_called_success() {
    let Some(site) = Site::new() else { return };
    site.edit("monctl.yaml", "group_wait: 1s", "group_wait: 1s\n  group_interval: 4s");
    site.edit("monctl.yaml", "for: 10s", "for: 4s");
    site.monctl("up --yes").success();
    let scenarios = scenarios![Site:
        a_report_that_cannot_be_written_is_refused_before_the_fault,
        packages_that_cannot_be_configured_are_a_failure,
        a_flapping_unit_is_detected,
        a_prometheus_that_does_not_run_is_a_failure,
        a_connection_lost_during_a_drill_is_restored,
        a_restart_of_prometheus_during_a_drill_fails_no_alert,
        a_lost_observation_is_not_a_verdict,
        a_full_run_directory_is_named_as_the_cause,
    ];
    scenarios::run(&site, &scenarios, 0, |_| (), |_, ()| ());
}

fn a_report_that_cannot_be_written_is_refused_before_the_fault(site: &Site) {
    site.monctl("verify-alert --report none/report.html")
        .code(Exit::CouldNotRun.code().into())
        .stderr_contains("the report `none/report.html` could not be written")
        .stderr_contains("help: create the folder `none`")
        .stderr_lacks("stress-ng");
}

fn packages_that_cannot_be_configured_are_a_failure(site: &Site) {
    let control =
        "Package: broken\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@x>\\nDescription: x\\n";
    let postinst = "#!/bin/sh\\necho the database is not there >&2\\nexit 1\\n";
    site.on(
        APP,
        &format!(
            "mkdir -p /opt/broken/DEBIAN && cd /opt && printf '{control}' >broken/DEBIAN/control && \
             printf '{postinst}' >broken/DEBIAN/postinst && chmod 755 broken/DEBIAN/postinst && \
             dpkg-deb -b broken >/dev/null && ! dpkg -i broken.deb >/dev/null 2>&1; \
             dpkg --purge stress-ng >/dev/null 2>&1"
        ),
    );
    site.monctl("up --yes")
        .code(1)
        .stdout_contains("step `packages` failed")
        .stdout_contains("the database is not there");
    site.on(APP, "dpkg --purge --force-all broken && rm -r /opt/broken /opt/broken.deb");
    site.converge();
}

fn a_flapping_unit_is_detected(site: &Site) {
    // After five starts within ten seconds systemd gives up: that would be a failed unit.
    site.on(
        APP,
        "systemd-run --quiet --collect --unit=flaps sh -c \
         'while :; do systemctl kill --signal=KILL monctl-node-exporter; sleep 2.5; done'",
    );
    let (up, status) = (site.monctl("up --yes"), site.monctl("status"));
    site.on(
        APP,
        "systemctl stop flaps; systemctl reset-failed monctl-node-exporter; systemctl restart monctl-node-exporter",
    );
    site.converge();
    up.code(1)
        .stdout_contains("`monctl-node-exporter.service` does not stay up: systemd restarted it")
        .stdout_contains("journalctl -u monctl-node-exporter.service");
    status.code(1).stdout_contains("monctl-node-exporter.service").stdout_contains("; restarted ");
}

fn a_prometheus_that_does_not_run_is_a_failure(site: &Site) {
    site.on(MONITORING, "systemctl stop monctl-prometheus");
    site.monctl("status")
        .code(1)
        .stdout_contains("targets, rules, proofs: unknown: Prometheus did not answer");
    for words in ["check", "verify-alert"] {
        site.monctl(words)
            .code(1)
            .stderr_contains("error: Prometheus did not answer")
            .stderr_contains("help: `monctl status` shows whether it runs");
    }
    site.converge();
}

fn a_connection_lost_during_a_drill_is_restored(site: &Site) {
    show_own_cpu_only(|host, command| site.on(host, command));
    let (code, _, output) = site.act_at("verify-alert", LOAD_ON, |_| site.cut_connections());
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("the connection to app is lost; reconnecting"), "{output}");
    assert!(output.contains("reconnected to monitoring"), "{output}");
}

fn a_restart_of_prometheus_during_a_drill_fails_no_alert(site: &Site) {
    let (code, _, output) = site.act_at("verify-alert", LOAD_ON, |_| {
        site.on(MONITORING, "systemctl restart monctl-prometheus");
    });
    let ends = [Exit::Success, Exit::ObservationLost].map(|exit| Some(i32::from(exit.code())));
    assert!(ends.contains(&code), "{code:?}: {output}");
    assert!(!output.contains("the expression was never"), "{output}");
}

fn a_lost_observation_is_not_a_verdict(site: &Site) {
    let (code, _, output) = site.act_at("verify-alert", PENDING, |_| {
        site.on(
            MONITORING,
            "systemd-run --quiet --on-active=90 systemctl start ssh.service && systemctl stop ssh.socket ssh.service",
        );
        site.cut_connections();
    });
    assert_eq!(code, Some(Exit::ObservationLost.code().into()), "{output}");
    assert!(output.contains("HighCPUUsage could not be observed on app"), "{output}");
    eventually("the host lets us in again", || site.project.ssh(MONITORING, "true").status.success());
}

fn a_full_run_directory_is_named_as_the_cause(site: &Site) {
    let fill = || site.on(APP, "cat /dev/zero >/run/full 2>/dev/null || true");
    let empty = || site.on(APP, "rm /run/full");
    fill();
    site.monctl("verify-alert")
        .code(Exit::CouldNotRun.code().into())
        .stderr_contains("No space left on device");
    empty();
    // An `up` starts node exporter, whose port must be free.
    show_all_cpus(|host, command| site.on(host, command));
    fill();
    for words in ["up --yes", "plan"] {
        let ran = site.monctl(words).code(1);
        assert!(format!("{ran}").contains("/run is full: No space left on device"), "{ran}");
    }
    empty();
    site.converge();
}
