//! The command line as types: parses it only. `commands` implements the subcommands.
//!
//! Doc comments of fields are the texts of `--help`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;

use crate::completion;
use crate::duration::PromDuration;
use crate::error::Error;
use crate::host::{HostName, Role};
use crate::spec::Region;
use crate::timing::StressCommand;

/// Set up monitoring for a Django team and prove that its alerts are delivered.
#[derive(Debug, Parser)]
#[command(name = "monctl", version = env!("MONCTL_VERSION"), max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// Read the project's spec from this file.
    #[arg(short, long, value_name = "PATH", global = true)]
    #[arg(env = "MONCTL_SPEC", hide_env_values = true, default_value = "monctl.yaml")]
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// Print results as `text`, or as `json`: one document on standard output, progress as JSON lines on standard
    /// error.
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        global = true,
        default_value_t,
        hide_possible_values = true
    )]
    pub output: OutputFormat,

    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "Exit codes: 0 success; 1 failed, possibly in part; 2 invalid command line or spec, nothing \
    changed; 3 `plan` found changes; 4 alert not proven; 5 could not run; 6 `check` found problems; 7 observation \
    lost, no verdict; 130 interrupted.

Examples:
  monctl plan --file shop/monctl.yaml
  monctl up";

/// How results and progress are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document on standard output, JSON lines on standard error.
    Json,
}

/// The subcommands, in the order in which a project usually needs them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first spec for a Django project, from what its files say.
    #[command(after_help = "Examples:\n  monctl init\n  monctl init --yes ../shop")]
    Init(InitArgs),
    /// Write or print every file that `up` would put on the hosts; change no machine.
    #[command(after_help = RENDER_EXAMPLES)]
    Render(RenderArgs),
    /// Show what `up` would change, and why; exit with code 3 if there are changes.
    #[command(after_help = "Examples:\n  monctl plan\n  monctl plan --output json")]
    Plan,
    /// Create or update machines and hosts to match the spec.
    #[command(after_help = "Examples:\n  monctl up\n  monctl up --yes --allow-downtime")]
    Up(UpArgs),
    /// Show the state of machines, services, targets, rules and dashboards, silences, and the last proofs.
    #[command(after_help = "Examples:\n  monctl status\n  monctl status --all --output json")]
    Status(StatusArgs),
    /// Send a test alert through each route of Alertmanager, and check that its receiver gets it; cause no fault.
    ///
    /// The alerts have the label `monctl_test` and end by themselves. Takes as long as `group_wait`, and seconds more.
    #[command(after_help = "Examples:\n  monctl verify-receivers\n  monctl verify-receivers --output json")]
    VerifyReceivers,
    /// Cause the fault that an alert detects, and check that the alert is delivered and resolved.
    #[command(after_help = VERIFY_ALERT_EXAMPLES)]
    VerifyAlert(VerifyArgs),
    /// Silence an alert in Alertmanager until a given time; list or end silences.
    #[command(after_help = SILENCE_EXAMPLES)]
    Silence(SilenceArgs),
    /// Query Grafana for the data of every panel, and show which panels have no data, and why.
    ///
    /// Sends real requests to the application first, on all its hosts, until it was scraped twice: 4 to 40 a second.
    /// With `app.metrics: exporter` the instrumentation answers one request in forty with 302, one with 404 and one
    /// with 503; other monitoring of the application sees these responses, too. `--no-traffic` sends no requests.
    #[command(after_help = VERIFY_DASHBOARDS_EXAMPLES)]
    VerifyDashboards(DashboardsArgs),
    /// Check the live rules and routes for alerts that can never fire or never be delivered.
    #[command(after_help = "Examples:\n  monctl check\n  monctl check --output json")]
    Check,
    /// Show what an alert needs to reach its receiver, how long that takes, and how to make it faster.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Run a management command of Django on a host, with the application's user, environment and settings.
    #[command(after_help = MANAGE_EXAMPLES)]
    Manage(ManageArgs),
    /// Open a shell on a host, or run a command there.
    #[command(after_help = SSH_EXAMPLES)]
    Ssh(SshArgs),
    /// Open Grafana, Prometheus or Alertmanager in the browser, through ssh.
    #[command(after_help = "Examples:\n  monctl open\n  monctl open prometheus --print")]
    Open(OpenArgs),
    /// Show the logs of all services on all hosts as one stream.
    #[command(after_help = "Examples:\n  monctl logs app --since 1h\n  monctl logs --follow")]
    Logs(LogsArgs),
    /// Rotate a secret generated by monctl.
    #[command(after_help = "Example:\n  monctl rotate grafana-password")]
    Rotate(RotateArgs),
    /// Remove everything that `up` created.
    #[command(after_help = "Examples:\n  monctl down\n  monctl down --project shop --region eu-central-1")]
    Down(DownArgs),
    /// Print the runbook of an alert of the catalogue: meaning, first look, usual causes, remedy.
    #[command(after_help = "Example:\n  monctl runbook HostDown")]
    Runbook {
        /// The name of the alert.
        #[arg(add = ArgValueCompleter::new(completion::runbooks))]
        alert: String,
    },
    /// Print the JSON Schema of the spec.
    #[command(after_help = "Example:\n  monctl schema")]
    Schema,
    /// Write the manual pages of monctl and its subcommands into a folder, for packages.
    #[command(hide = true, after_help = "Example:\n  monctl man-pages debian/monctl/usr/share/man/man1")]
    ManPages {
        /// The folder.
        folder: PathBuf,
    },
}

const RENDER_EXAMPLES: &str = "Examples:
  monctl render --out files
  monctl render --dry-run --address app=203.0.113.7";

const MANAGE_EXAMPLES: &str = "Examples:
  monctl manage -- createsuperuser
  monctl manage --host app-2 -- showmigrations";

const VERIFY_ALERT_EXAMPLES: &str = "Examples:
  monctl verify-alert HighCPUUsage
  monctl verify-alert --all --yes --report alerts.html";

const SILENCE_EXAMPLES: &str = "Examples:
  monctl silence DiskSpaceLow --for 2h --why migration --host app-2
  monctl silence --list
  monctl silence --end 7f3c1f2e-5d0c-4d8e-9a3e-0b1c2d3e4f50";

const VERIFY_DASHBOARDS_EXAMPLES: &str = "Examples:
  monctl verify-dashboards
  monctl verify-dashboards --no-traffic --screenshots pictures";

const EXPLAIN_EXAMPLES: &str = "Examples:
  monctl explain HighCPUUsage
  monctl explain HighCPUUsage --value 85 --lasting 120s";

const SSH_EXAMPLES: &str = "Examples:
  monctl ssh app
  monctl ssh monitoring -- journalctl -u monctl-prometheus -n 50";

/// `monctl init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder of the project.
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,

    /// Ask no question: machines on this computer, and messages received by monctl itself.
    #[arg(short, long)]
    pub yes: bool,
}

/// `monctl render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    #[command(flatten)]
    pub(crate) target: RenderTarget,

    /// Use this address for a machine that does not exist yet; without it, the files contain a placeholder.
    #[arg(long = "address", value_name = "HOST=IP", value_parser = address)]
    pub addresses: Vec<(HostName, IpAddr)>,
}

/// Where the files go: exactly one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RenderTarget {
    /// Write the files into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Print the files and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl RenderArgs {
    /// The folder to write to; `None` if the files are only printed.
    pub fn out(&self) -> Option<&PathBuf> {
        self.target.out.as_ref()
    }
}

/// `monctl up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Make the changes without asking for confirmation.
    #[arg(short, long)]
    pub yes: bool,

    /// Allow machines to be stopped or replaced, without a second confirmation.
    #[arg(long)]
    pub allow_downtime: bool,
}

/// `monctl status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Also show what belongs to other projects.
    #[arg(long)]
    pub all: bool,
}

/// `monctl verify-alert`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct VerifyArgs {
    /// The alerts to prove.
    #[arg(value_name = "ALERT", default_value = "HighCPUUsage")]
    #[arg(add = ArgValueCompleter::new(completion::alerts))]
    pub alerts: Vec<String>,

    /// Prove every alert that has a drill; run drills in parallel where they do not disturb each other.
    #[arg(long, conflicts_with_all = ["alerts", "stress_ng", "cpu_load"])]
    pub all: bool,

    /// Only list the alerts with their drills (danger, guard, undo), or the reason why there is no drill.
    #[arg(long, conflicts_with_all = ["all", "schedule"])]
    pub list: bool,

    /// Only print a systemd timer and a CI pipeline that prove every alert once a week.
    #[arg(long, conflicts_with = "all")]
    pub schedule: bool,

    /// Do not ask for confirmation before a drill that users of the application will notice.
    #[arg(short, long)]
    pub yes: bool,

    /// Cause the faults on this host.
    #[arg(long, value_name = "HOST", default_value = "app", value_parser = app_host)]
    #[arg(add = ArgValueCompleter::new(completion::app_hosts))]
    pub host: HostName,

    /// Keep the fault active for its full duration, even after the alert was delivered.
    #[arg(long)]
    pub keep: bool,

    /// Cause the load of this stress-ng command, even if its alert cannot be delivered: `--cpu N`, `--cpu-load PERCENT`,
    /// `--timeout TIME`.
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true, conflicts_with_all = ["cpu_load", "duration"])]
    pub stress_ng: Option<StressCommand>,

    /// Load each CPU to this percentage; defaults to 100.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub cpu_load: Option<u8>,

    /// Write the results of the drills to this file, as one self-contained HTML page.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Write the results to this file as JUnit XML, also if the run fails or is interrupted: one test case for each alert.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list", "schedule"])]
    pub junit: Option<PathBuf>,

    /// Fail with exit code 4 if, after the drills, less than this share of all alerting rules is proven, in percent.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100),
        conflicts_with_all = ["list", "schedule"])]
    pub require: Option<u8>,

    /// Limit the fault to this duration, such as `90s`; defaults to the duration that the prediction requires.
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<PromDuration>,
}

/// Parses the name of a host that runs the application.
fn app_host(text: &str) -> Result<HostName, Error> {
    let name: HostName = text.parse()?;
    if name.role() == Role::APP {
        return Ok(name);
    }
    Err(Error::invalid(format!("`{name}` does not run the application"))
        .remedy("name `app`, `app-2` and so on"))
}

/// `monctl silence`.
#[derive(Debug, Args)]
pub struct SilenceArgs {
    /// The alert to silence.
    #[arg(value_name = "ALERT", required_unless_present_any = ["list", "end"])]
    #[arg(conflicts_with_all = ["list", "end"], requires_all = ["duration", "why"])]
    pub alert: Option<String>,

    /// End the silence after this duration, such as `2h`; at most 4w.
    #[arg(long = "for", value_name = "DURATION", requires = "alert")]
    pub duration: Option<PromDuration>,

    /// The reason, for those who find the silence.
    #[arg(long, value_name = "TEXT", requires = "alert")]
    pub why: Option<String>,

    /// Silence the alert of this host only.
    #[arg(long, value_name = "HOST", requires = "alert")]
    pub host: Option<HostName>,

    /// List the active silences.
    #[arg(long, conflicts_with = "end")]
    pub list: bool,

    /// End the silence with this id now.
    #[arg(long, value_name = "ID")]
    pub end: Option<String>,
}

/// `monctl verify-dashboards`.
#[derive(Debug, Args)]
pub struct DashboardsArgs {
    /// Also save a screenshot of each dashboard in this folder; requires an installed Chromium.
    #[arg(long, value_name = "DIR")]
    pub screenshots: Option<PathBuf>,

    /// Send no requests to the application. Without other traffic its panels may show no data.
    #[arg(long)]
    pub no_traffic: bool,
}

/// `monctl explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The alert to explain.
    #[arg(value_name = "ALERT", add = ArgValueCompleter::new(completion::alerts))]
    pub alert: String,

    /// Assume a fault that brings the expression to this value, in its unit.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub value: Option<f64>,

    /// Assume that the fault lasts this long, such as `90s`.
    #[arg(long, value_name = "DURATION")]
    pub lasting: Option<PromDuration>,
}

/// `monctl manage`.
#[derive(Debug, Args)]
pub struct ManageArgs {
    /// Run the command on this host.
    #[arg(long, value_name = "HOST", default_value = "app", value_parser = app_host)]
    #[arg(add = ArgValueCompleter::new(completion::app_hosts))]
    pub host: HostName,

    /// The command and its arguments, after `--`, as for `manage.py`.
    #[arg(last = true, value_name = "COMMAND", required = true)]
    pub command: Vec<String>,
}

/// `monctl ssh`.
#[derive(Debug, Args)]
pub struct SshArgs {
    /// `app`, `app-2` …, or `monitoring`.
    #[arg(add = ArgValueCompleter::new(completion::hosts))]
    pub host: HostName,

    /// The command and its arguments, after `--`; defaults to a shell.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `monctl open`.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The service to open.
    #[arg(value_enum, default_value_t)]
    pub service: Web,

    /// Only print the address; do not open the browser.
    #[arg(long)]
    pub print: bool,
}

/// A service with a web interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Web {
    /// Dashboards.
    #[default]
    Grafana,
    /// Metrics, targets and rules.
    Prometheus,
    /// Alerts and silences.
    Alertmanager,
}

/// `monctl logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// One service, such as `app`, `prometheus` or `grafana`; defaults to all of them.
    pub service: Option<String>,

    /// Show entries from this far back.
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub since: PromDuration,

    /// Keep printing new entries until Ctrl-C.
    #[arg(short, long)]
    pub follow: bool,

    /// Read the project's spec from this file. For `logs`, `-f` means `--follow`.
    #[arg(
        long,
        value_name = "PATH",
        env = "MONCTL_SPEC",
        hide_env_values = true,
        default_value = "monctl.yaml",
        value_hint = ValueHint::FilePath
    )]
    pub file: PathBuf,
}

/// `monctl rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The secret to rotate.
    #[arg(value_enum)]
    pub what: Rotatable,
}

/// A secret that monctl generated and can rotate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rotatable {
    /// The password of Grafana's administrator.
    GrafanaPassword,
}

/// `monctl down`.
#[derive(Debug, Args)]
pub struct DownArgs {
    /// Remove everything without asking for confirmation.
    #[arg(short, long)]
    pub yes: bool,

    /// Remove the project of this name, if its spec is lost.
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,

    /// Remove that project from this EC2 region; defaults to this computer.
    #[arg(long, value_name = "REGION", requires = "project")]
    pub region: Option<Region>,

    /// Also remove the cached base images of machines on this computer.
    #[arg(long)]
    pub purge_cache: bool,
}

impl Command {
    /// The name on the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Render(_) => "render",
            Self::Plan => "plan",
            Self::Up(_) => "up",
            Self::Status(_) => "status",
            Self::VerifyReceivers => "verify-receivers",
            Self::VerifyAlert(_) => "verify-alert",
            Self::Silence(_) => "silence",
            Self::VerifyDashboards(_) => "verify-dashboards",
            Self::Check => "check",
            Self::Explain(_) => "explain",
            Self::Manage(_) => "manage",
            Self::Ssh(_) => "ssh",
            Self::Open(_) => "open",
            Self::Logs(_) => "logs",
            Self::Rotate(_) => "rotate",
            Self::Down(_) => "down",
            Self::Runbook { .. } => "runbook",
            Self::Schema => "schema",
            Self::ManPages { .. } => "man-pages",
        }
    }
}

/// Parses `app=203.0.113.7`.
fn address(text: &str) -> Result<(HostName, IpAddr), String> {
    let (host, ip) = text.split_once('=').ok_or("write HOST=IP, for example `app=203.0.113.7`")?;
    let host = host.parse::<HostName>().map_err(|error| error.to_string())?;
    let ip = ip.parse().map_err(|_| format!("`{ip}` is not an IP address"))?;
    Ok((host, ip))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::error::Exit;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_names_every_exit_code() {
        for exit in Exit::ALL {
            assert!(AFTER_HELP.contains(&format!(" {} ", exit.code())), "{exit:?}");
        }
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<&str> = help.lines().filter(|line| line.starts_with("  monctl ")).collect();
            assert!(!examples.is_empty(), "`{}` has no example", command.get_name());
            for example in examples {
                let cli = Cli::try_parse_from(example.split_whitespace()).unwrap();
                assert_eq!(cli.command.name(), command.get_name(), "{example}");
            }
        }
    }

    #[test]
    fn addresses_are_parsed_by_host() {
        let cli =
            Cli::try_parse_from(["monctl", "render", "--dry-run", "--address", "app-2=203.0.113.8"]).unwrap();
        let Command::Render(args) = cli.command else { panic!("not render") };
        assert_eq!(args.addresses, [(HostName::app(2), "203.0.113.8".parse().unwrap())]);
    }

    #[test]
    fn render_requires_exactly_one_target() {
        assert!(Cli::try_parse_from(["monctl", "render"]).is_err());
        assert!(Cli::try_parse_from(["monctl", "render", "--dry-run", "--out", "x"]).is_err());
        assert!(Cli::try_parse_from(["monctl", "render", "--out", "x"]).is_ok());
    }

    #[test]
    fn a_stress_ng_command_is_one_word_that_begins_with_a_hyphen() {
        let call = |options| Cli::try_parse_from(["monctl", "verify-alert", "--stress-ng", options]);
        let Command::VerifyAlert(args) = call("--cpu 4 --cpu-load 85 --timeout 120s").unwrap().command else {
            panic!("not verify-alert")
        };
        assert_eq!(args.stress_ng, Some(StressCommand::CLASSIC));
        let error = call("--vm 1 --timeout 120s").unwrap_err().to_string();
        assert!(error.contains("monctl cannot predict the effect of `--vm`"), "{error}");
    }

    #[test]
    fn the_command_of_ssh_begins_after_two_dashes() {
        let cli = Cli::try_parse_from(["monctl", "ssh", "app", "--", "ls", "-l", "--output"]).unwrap();
        let Command::Ssh(args) = cli.command else { panic!("not ssh") };
        assert_eq!(args.command, ["ls", "-l", "--output"]);
    }
}
