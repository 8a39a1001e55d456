//! Checks where secrets are: searches all output and files of monctl, on both sides.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, thread};

use monctl::host::HostName;

use crate::site::{APP, MONITORING, SECRETS, Site};

/// Runs `work` while the command lines of all processes of this computer, and so of its machines, are watched.
fn watched(work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = || {
            let mut looks = 0;
            let mut seen = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                seen.extend(telling_command_lines());
                looks += 1;
                thread::sleep(Duration::from_millis(5));
            }
            (looks, seen)
        };
        let watcher = scope.spawn(watch);
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        let (looks, seen) = watcher.join().unwrap();
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
        assert!(looks > 10);
        assert_eq!(seen, Vec::<String>::new());
    });
}

fn telling_command_lines() -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| SECRETS.iter().any(|secret| line.contains(secret))).collect()
}

/// The processes outside of machines that keep them running and have a secret in their environment.
fn telling_environments(site: &Site) -> Vec<String> {
    let folder = site.project.folder().display().to_string();
    let mut found = Vec::new();
    let mut machines = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        if !(line.contains("systemd-nspawn") && line.contains(&folder)) {
            continue;
        }
        machines += 1;
        let environment = read("environ");
        let environment = String::from_utf8_lossy(&environment);
        if SECRETS.iter().any(|secret| environment.contains(secret))
            || environment.contains("NOTES_SECRET_KEY")
        {
            found.push(line);
        }
    }
    assert!(machines >= 2, "no machine runs");
    found
}

/// The files of a host that hold a secret, with mode and owner.
fn files(site: &Site, host: HostName, secret: &str) -> Vec<String> {
    // The pattern is read from a file, so that this search does not find itself.
    let find = format!(
        "mkdir -m 700 /run/search && printf %s {secret} >/run/search/pattern && \
         (grep -rlsF -f /run/search/pattern --devices=skip --exclude-dir=search \
          /etc /home /opt /root /run /srv /tmp /var || true) | xargs -r stat -L -c '%a %U %n'; rm -r /run/search"
    );
    site.on(host, &find).lines().map(str::to_owned).collect()
}

pub fn secrets_stay_where_they_belong(site: &Site) {
    site.edit(
        "monctl.yaml",
        "  capture: {}\n",
        "  slack: {webhook_url: {env: WEBHOOK_URL}, channel: \"#alerts\"}\n",
    );
    // A part of a file with a secret differs, too, so that a plan would show it.
    site.edit("monctl.yaml", "    ALLOWED_HOSTS: \"*\"\n", "    ALLOWED_HOSTS: \"*\"\n    MORE: \"1\"\n");
    watched(|| {
        site.monctl("plan").code(3);
        site.monctl("--output json plan").code(3);
        site.monctl("--output json up --yes").success();
        site.monctl("plan").success();
        site.monctl("status");
        site.monctl("--output json status");
        site.monctl("render --dry-run").success();
    });
    let kept = [
        (APP, SECRETS[0], "600 monctl-app /var/lib/monctl/sets/app/"),
        (MONITORING, SECRETS[1], "600 monctl-alertmanager /var/lib/monctl/sets/monitoring/"),
    ];
    for (host, secret, place) in kept {
        let found = files(site, host, secret);
        assert!(!found.is_empty() && found.iter().all(|file| file.starts_with(place)), "{found:#?}");
        for other in [APP, MONITORING].into_iter().filter(|other| *other != host) {
            assert_eq!(files(site, other, secret), Vec::<String>::new());
        }
    }
    for host in [APP, MONITORING] {
        let journal = site.project.ssh(host, "journalctl --no-pager --output cat").stdout;
        let journal = String::from_utf8_lossy(&journal);
        // The journal must not contain this test's own search either.
        assert!(journal.contains("monctl") && !SECRETS.iter().any(|secret| journal.contains(secret)));
    }
    // The machines' processes on this computer outlive the calls, and must not have their environment.
    assert_eq!(telling_environments(site), Vec::<String>::new());
    // On this side secrets are the user's: nothing is kept of them.
    let folder = site.project.folder();
    let search = |secret: &str| {
        let command =
            format!("grep -rlsF --exclude-dir=machines -e {secret} {} /run/monctl", folder.display());
        Command::new("sh").args(["-c", &command]).output().unwrap().stdout
    };
    for secret in SECRETS {
        assert_eq!(String::from_utf8_lossy(&search(secret)), "");
    }
}
