//! The command line as types. What a word means is decided in `commands`; nothing here does anything.
//!
//! Field docs are the texts of `--help`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::duration::PromDuration;
use crate::error::Error;
use crate::host::{HostName, Role};
use crate::spec::Region;

/// Monitoring for a Django team that is proven to alert.
#[derive(Debug, Parser)]
#[command(name = "monctl", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// The project's spec.
    #[arg(short, long, value_name = "PATH", global = true)]
    #[arg(env = "MONCTL_SPEC", hide_env_values = true, default_value = "monctl.yaml")]
    pub file: PathBuf,

    /// `text`, or `json`: one document on standard output, JSON lines of progress on standard error.
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        global = true,
        default_value_t,
        hide_possible_values = true
    )]
    pub output: OutputFormat,

    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "Exit codes: 0 done; 1 failed on the way; 2 command line or spec wrong, nothing touched; \
    3 `plan` found changes; 4 alert not proven; 5 could not run; \
    6 `check` found something; 7 observation lost; 130 interrupted.";

/// How results and progress are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document on standard output, JSON lines on standard error.
    Json,
}

/// The subcommands, in the order in which a project meets them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write or show every file that the hosts would get; touches no machine.
    Render(RenderArgs),
    /// Show what `up` would change, and why; exit code 3 where there is something.
    Plan,
    /// Make machines and hosts what the spec says.
    Up(UpArgs),
    /// Show machines, services, targets, rules, dashboards and the last proof.
    Status(StatusArgs),
    /// Cause the fault that an alert is there for, and watch the alert arrive and be resolved.
    VerifyAlert(VerifyArgs),
    /// Ask Grafana for the data of every panel, and say which ones show nothing and why.
    ///
    /// Sends real requests to the application first, on all its hosts, until it was scraped twice: 4 to 40 a second. With
    /// `app.metrics: exporter` one in forty each is answered with 302, 404 and 503 by the instrumentation, which also
    /// whoever watches the application sees. `--no-traffic` sends none.
    VerifyDashboards(DashboardsArgs),
    /// Look for rules that can never fire or never arrive, in what the live Prometheus and Alertmanager hold.
    Check,
    /// Say what must happen, for how long, until a person is told of an alert, and what shortens it.
    Explain(ExplainArgs),
    /// Open a shell on a host, or run a command there.
    Ssh(SshArgs),
    /// Open Grafana, Prometheus or Alertmanager in the browser, through ssh.
    Open(OpenArgs),
    /// Show what the services of all hosts log, in one stream.
    Logs(LogsArgs),
    /// Replace a secret that monctl made by a new one.
    Rotate(RotateArgs),
    /// Remove everything that `up` made.
    Down(DownArgs),
    /// Print the page about an alert of the catalogue: meaning, first look, usual causes, remedy.
    Runbook {
        /// The alert's name.
        alert: String,
    },
    /// Print the JSON Schema of the spec.
    Schema,
}

/// `monctl render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    #[command(flatten)]
    pub(crate) target: RenderTarget,

    /// The address of a machine that does not exist yet; a placeholder stands where none is given.
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
    /// The folder to write to; none where the files are only printed.
    pub fn out(&self) -> Option<&PathBuf> {
        self.target.out.as_ref()
    }
}

/// `monctl up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Go on without asking.
    #[arg(short, long)]
    pub yes: bool,

    /// Let machines be stopped or replaced without asking for that, too.
    #[arg(long)]
    pub allow_downtime: bool,
}

/// `monctl status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Show what there is of other projects, too.
    #[arg(long)]
    pub all: bool,
}

/// `monctl verify-alert`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct VerifyArgs {
    /// The alerts to prove.
    #[arg(value_name = "ALERT", default_value = "HighCPUUsage")]
    pub alerts: Vec<String>,

    /// Prove every alert that has a drill; drills that do not disturb each other run at the same time.
    #[arg(long, conflicts_with_all = ["alerts", "like_reference", "cpu_load"])]
    pub all: bool,

    /// Only show which alerts have a drill, its danger, its guard and its undo, and why others have none.
    #[arg(long, conflicts_with_all = ["all", "schedule"])]
    pub list: bool,

    /// Only print a systemd timer and a step for a pipeline that prove every alert once a week.
    #[arg(long, conflicts_with = "all")]
    pub schedule: bool,

    /// Go on without asking where users of the application will notice a drill.
    #[arg(short, long)]
    pub yes: bool,

    /// The host on which the faults are caused.
    #[arg(long, value_name = "HOST", default_value = "app", value_parser = app_host)]
    pub host: HostName,

    /// Keep the fault up for its full time, even after the alert was delivered.
    #[arg(long)]
    pub keep: bool,

    /// Run exactly the reference's command: `stress-ng --cpu 4 --cpu-load 85 --timeout 120s`.
    #[arg(long, conflicts_with_all = ["cpu_load", "duration"])]
    pub like_reference: bool,

    /// The load on each CPU, in percent; 100 where absent.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub cpu_load: Option<u8>,

    /// Write what became of the drills as one self-contained HTML page.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// How long the fault lasts at most, such as `90s`; what the prediction asks for where absent.
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<PromDuration>,
}

/// A host that runs the application.
fn app_host(text: &str) -> Result<HostName, Error> {
    let name: HostName = text.parse()?;
    if name.role() == Role::APP {
        return Ok(name);
    }
    Err(Error::invalid(format!("`{name}` runs no application"))
        .remedy("drills are for `app`, `app-2` and so on"))
}

/// `monctl verify-dashboards`.
#[derive(Debug, Args)]
pub struct DashboardsArgs {
    /// Also take a picture of each dashboard into this folder, with the Chromium that is installed here.
    #[arg(long, value_name = "DIR")]
    pub screenshots: Option<PathBuf>,

    /// Only ask: send no requests to the application. Where nobody else does, its panels may show nothing.
    #[arg(long)]
    pub no_traffic: bool,
}

/// `monctl explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The alert to explain.
    #[arg(value_name = "ALERT")]
    pub alert: String,

    /// The value to which a fault brings the expression, in its unit.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub value: Option<f64>,

    /// How long that fault lasts, such as `90s`.
    #[arg(long, value_name = "DURATION")]
    pub lasting: Option<PromDuration>,
}

/// `monctl ssh`.
#[derive(Debug, Args)]
pub struct SshArgs {
    /// `app`, `app-2` …, or `monitoring`.
    pub host: HostName,

    /// The command and its arguments, after `--`; a shell where absent.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `monctl open`.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// What to look at.
    #[arg(value_enum, default_value_t)]
    pub service: Web,

    /// Only print the address.
    #[arg(long)]
    pub print: bool,
}

/// What has a web interface.
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
    /// One service, such as `app`, `prometheus` or `grafana`; all of them where absent.
    pub service: Option<String>,

    /// How far to look back.
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub since: PromDuration,

    /// Go on showing what comes, until Ctrl-C.
    #[arg(short, long)]
    pub follow: bool,

    /// The project's spec. Without its short form, which is that of `--follow` here.
    #[arg(
        long,
        value_name = "PATH",
        env = "MONCTL_SPEC",
        hide_env_values = true,
        default_value = "monctl.yaml"
    )]
    pub file: PathBuf,
}

/// `monctl rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The secret.
    #[arg(value_enum)]
    pub what: Rotatable,
}

/// A secret that monctl made and can replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rotatable {
    /// The password of Grafana's administrator.
    GrafanaPassword,
}

/// `monctl down`.
#[derive(Debug, Args)]
pub struct DownArgs {
    /// Go on without asking.
    #[arg(short, long)]
    pub yes: bool,

    /// The project's name, where its spec is lost.
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,

    /// The region of EC2 in which that project is; on this computer where absent.
    #[arg(long, value_name = "REGION", requires = "project")]
    pub region: Option<Region>,

    /// Remove the cached base image of this computer's machines, too.
    #[arg(long)]
    pub purge_cache: bool,
}

impl Command {
    /// The word on the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Render(_) => "render",
            Self::Plan => "plan",
            Self::Up(_) => "up",
            Self::Status(_) => "status",
            Self::VerifyAlert(_) => "verify-alert",
            Self::VerifyDashboards(_) => "verify-dashboards",
            Self::Check => "check",
            Self::Explain(_) => "explain",
            Self::Ssh(_) => "ssh",
            Self::Open(_) => "open",
            Self::Logs(_) => "logs",
            Self::Rotate(_) => "rotate",
            Self::Down(_) => "down",
            Self::Runbook { .. } => "runbook",
            Self::Schema => "schema",
        }
    }
}

/// Reads `app=203.0.113.7`.
fn address(text: &str) -> Result<(HostName, IpAddr), String> {
    let (host, ip) = text.split_once('=').ok_or("write HOST=IP, for example `app=203.0.113.7`")?;
    let host = host.parse::<HostName>().map_err(|error| error.to_string())?;
    let ip = ip.parse().map_err(|_| format!("`{ip}` is no IP address"))?;
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
    fn addresses_are_read_by_host() {
        let cli =
            Cli::try_parse_from(["monctl", "render", "--dry-run", "--address", "app-2=203.0.113.8"]).unwrap();
        let Command::Render(args) = cli.command else { panic!("not render") };
        assert_eq!(args.addresses, [(HostName::app(2), "203.0.113.8".parse().unwrap())]);
    }

    #[test]
    fn render_wants_exactly_one_target() {
        assert!(Cli::try_parse_from(["monctl", "render"]).is_err());
        assert!(Cli::try_parse_from(["monctl", "render", "--dry-run", "--out", "x"]).is_err());
        assert!(Cli::try_parse_from(["monctl", "render", "--out", "x"]).is_ok());
    }

    #[test]
    fn the_command_of_ssh_begins_after_two_dashes() {
        let cli = Cli::try_parse_from(["monctl", "ssh", "app", "--", "ls", "-l", "--output"]).unwrap();
        let Command::Ssh(args) = cli.command else { panic!("not ssh") };
        assert_eq!(args.command, ["ls", "-l", "--output"]);
    }
}
