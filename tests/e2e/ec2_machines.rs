//! Machines of the local provider behind the stand-in for EC2. The stand-in names them like application hosts and
//! requests them from this process over a socket, so that they belong to a test project and are removed with it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, thread};

use monctl::host::{HostName, ProjectName};
use monctl::provider::local::LocalProvider;
use monctl::provider::{MachineState, Provider as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::site::eventually;
use crate::test_project::{TestProject, provider, runtime};

/// Server for the stand-in's requests for machines.
pub struct Ec2Machines {
    folder: TempDir,
    pub project: TestProject,
}

impl Ec2Machines {
    /// `None` if machines cannot be created here.
    pub fn new() -> Option<Self> {
        let project = TestProject::new()?;
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let desk = Arc::new(Desk { project: project.name.clone(), network: Mutex::new(()) });
        // The thread runs until the process ends: the stand-in removes its machines during its own shutdown.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let desk = Arc::clone(&desk);
                thread::spawn(move || desk.serve(stream));
            }
        });
        Some(Self { folder, project })
    }

    /// The options of the stand-in that make it use these machines.
    pub fn options(&self) -> Vec<String> {
        let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/machine_client.py");
        let words =
            [Path::new("--machines"), Path::new("python3"), &client, &self.folder.path().join("socket")];
        words.iter().map(|word| word.display().to_string()).collect()
    }
}

struct Desk {
    project: ProjectName,
    /// Held while the network is created, which happens once.
    network: Mutex<()>,
}

impl Desk {
    fn serve(&self, mut stream: UnixStream) {
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        let request: Value = serde_json::from_str(&line).unwrap();
        let (verb, name) = (request["verb"].as_str().unwrap(), request["name"].as_str().unwrap());
        let host = name.parse().unwrap();
        if let Some(path) = request["user_data"].as_str() {
            self.put_host_key(host, Path::new(path));
        }
        let done = self.act(verb, host);
        let answer = match done {
            Ok(output) => json!({"output": output}),
            Err(error) => json!({"error": format!("{error}: {:?}\n", error.causes())}),
        };
        // Errors are ignored: the stand-in may have given up.
        let _ = stream.write_all(answer.to_string().as_bytes());
    }

    fn act(&self, verb: &str, host: HostName) -> monctl::error::Result<String> {
        let (provider, runtime) = (provider(&self.project), runtime());
        match verb {
            "reserve" => {
                let held = self.network.lock().unwrap_or_else(PoisonError::into_inner);
                if !runtime.block_on(provider.observe())?.network {
                    runtime.block_on(provider.create_network())?;
                }
                drop(held);
                // A machine whose creation has begun already has its address.
                fs::create_dir_all(self.folder(host)).unwrap();
                let machine = &runtime.block_on(provider.observe())?.machines[&host].machine;
                Ok(json!({"address": machine.address}).to_string())
            }
            "make" => {
                let machine = runtime.block_on(provider.create_machine(host))?;
                Ok(json!({"ssh_config": machine.ssh.config, "alias": machine.ssh.alias}).to_string())
            }
            "start" => runtime.block_on(provider.start_machine(host)).map(|_| String::new()),
            "stop" => {
                self.power_off(host);
                eventually("the machine is off", || state(&provider, host) != Some(MachineState::Running));
                Ok(String::new())
            }
            "remove" => runtime.block_on(provider.remove_machine(host)).map(|()| String::new()),
            "console" => Ok(fs::read_to_string(self.folder(host).join("console.log")).unwrap_or_default()),
            other => panic!("unknown request of the stand-in: {other}"),
        }
    }

    fn state(&self) -> PathBuf {
        Path::new("/var/lib/monctl/local").join(self.project.as_str())
    }

    fn folder(&self, host: HostName) -> PathBuf {
        self.state().join("machines").join(host.to_string())
    }

    /// Prepares the host key of the user data, so that the machine never presents another.
    fn put_host_key(&self, host: HostName, user_data: &Path) {
        let text = fs::read_to_string(user_data).unwrap();
        let config: Value = serde_saphyr::from_str(&text).unwrap();
        let Some(private) = config["ssh_keys"]["ed25519_private"].as_str() else { return };
        let public = config["ssh_keys"]["ed25519_public"].as_str().unwrap();
        let path = self.state().join("ssh").join(format!("{host}-host-key"));
        fs::write(path.with_extension("pub"), format!("{public}\n")).unwrap();
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
        file.write_all(private.as_bytes()).unwrap();
    }

    /// Shuts a machine down, as its power button would. Its host key may have been replaced, and is not checked.
    fn power_off(&self, host: HostName) {
        let config = self.state().join("ssh/config");
        let mut ssh = Command::new("ssh");
        ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-F"]).arg(config);
        let _ = ssh.arg(host.to_string()).arg("systemctl poweroff").output();
    }
}

fn state(provider: &LocalProvider, host: HostName) -> Option<MachineState> {
    Some(runtime().block_on(provider.observe()).ok()?.machines.get(&host)?.state)
}
