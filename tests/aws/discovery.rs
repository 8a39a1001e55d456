//! Service discovery: a real Prometheus with the rendered configuration finds the application hosts in EC2.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::computer::Computer;
use crate::pool::with_double;
use crate::support::binary::DEADLINE;
use crate::support::hand::Hand;
use crate::support::tools::program;

/// A Prometheus that ends with the test.
struct Prometheus {
    child: Child,
    port: u16,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Starts it in a folder of rendered files, with credentials as from an instance profile.
    fn start(program: PathBuf, folder: PathBuf, computer: &Computer) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let caller = computer.caller.as_ref().unwrap();
        let child = command.envs(caller.environment()).spawn().unwrap();
        Self { child, port }
    }

    /// The instances that a job scrapes, by their ids. Prometheus' own host is not found in EC2.
    fn targets(&self, job: &str) -> Vec<String> {
        let url = format!("http://127.0.0.1:{}/api/v1/targets?state=active", self.port);
        let output = Command::new("curl").args(["-s", "--noproxy", "*", &url]).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let targets = answer["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
        let of_job = targets.iter().filter(|target| target["labels"]["job"] == job);
        of_job.filter_map(|target| target["labels"]["instance_id"].as_str().map(str::to_owned)).collect()
    }
}

#[test]
fn prometheus_finds_the_application_hosts_in_ec2_and_no_other_machine() {
    let Some(program) = program("prometheus") else { return };
    with_double(|double| {
        let computer = Computer::new(double);
        computer.discover();
        computer.up();
        let hand = Hand::new(double);
        let expected = vec![hand.id("instances", "app")];
        computer.run("render --out out").success();
        let folder = computer.path("out");
        let prometheus = Prometheus::start(program, folder, &computer);
        let begun = Instant::now();
        while prometheus.targets("node-exporter") != expected {
            let found = prometheus.targets("node-exporter");
            assert!(begun.elapsed() < DEADLINE, "{found:?} instead of {expected:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
        computer.down();
    });
}
