//! The command line as scripts see it: exit codes, streams, formats.

use clap::CommandFactory as _;
use monctl::cli::Cli;
use monctl::error::Exit;

use crate::support::binary::{Monctl, Project, Ran, SPEC};

#[test]
fn help_and_version_are_results() {
    Monctl::new().arg("--help").run().success().stderr_is("").stdout_contains("verify-alert");
    let version = format!("monctl {} (with aws)\n", env!("CARGO_PKG_VERSION"));
    Monctl::new().arg("--version").run().success().stderr_is("").stdout_is(&version);
}

#[test]
fn every_subcommand_has_help_with_examples() {
    for command in Cli::command().get_subcommands() {
        let help = Monctl::new().args([command.get_name(), "--help"]).run().success();
        help.stdout_contains("Usage: monctl").stdout_contains("Example");
    }
}

#[test]
fn a_shell_completes_commands_and_the_names_of_the_spec() {
    let completed = |project: &Project, words: &[&str]| {
        let mut call = project.monctl().arg("--").args(words);
        for (name, value) in
            [("MONCTL_COMPLETE", "bash"), ("_CLAP_IFS", "\n"), ("_CLAP_COMPLETE_COMP_TYPE", "9")]
        {
            call = call.env(name, value);
        }
        let last = (words.len() - 1).to_string();
        call.env("_CLAP_COMPLETE_INDEX", &last).run().success().stdout
    };
    let project = Project::new();
    for (words, expected) in [
        (&["monctl", "verify-d"][..], "verify-dashboards"),
        (&["monctl", "explain", "HighC"], "HighCPUUsage"),
        (&["monctl", "verify-alert", "HighC"], "HighCPUUsage"),
        (&["monctl", "runbook", "HostD"], "HostDown"),
        (&["monctl", "ssh", "mon"], "monitoring"),
        (&["monctl", "manage", "--host", ""], "app"),
    ] {
        assert_eq!(completed(&project, words), expected, "{words:?}");
    }
    // A spec that cannot be read has no names; a shell has no place for an error.
    let project = Project::with_spec("version: 1\n");
    assert_eq!(completed(&project, &["monctl", "explain", "HighC"]), "");
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_prints_no_result() {
    for words in
        [&[][..], &["frobnicate"], &["up", "--frob"], &["ssh", "web"], &["render"], &["plan", "--file"]]
    {
        Monctl::new().args(words).run().code(2).stdout_is("");
    }
}

#[test]
fn a_runbook_is_printed_and_a_wrong_name_gets_a_suggestion() {
    Monctl::new().args(["runbook", "HostDown"]).run().success().stdout_contains("# HostDown\n");
    let page = Monctl::new().args(["runbook", "HostDown", "--output", "json"]).run().success().json();
    assert!(page["page"].as_str().unwrap_or_default().contains("## First look"));
    Monctl::new().args(["runbook", "HostDwn"]).run().code(2).stderr_contains("did you mean `HostDown`?");
}

#[test]
fn a_mistyped_command_gets_a_suggestion() {
    Monctl::new().arg("stats").run().code(2).stderr_contains("'status'");
}

#[test]
fn a_wrong_host_name_is_refused_with_the_valid_ones() {
    Monctl::new().args(["ssh", "web_1"]).run().code(2).stderr_contains("`web_1` is not a valid host name");
    let project = Project::with_spec(SPEC);
    let ran = project.monctl().args(["render", "--dry-run", "--address", "web=192.0.2.1"]).run().code(2);
    ran.stderr_contains("the project has no host `web`").stderr_contains("its hosts are `app`, `monitoring`");
}

#[test]
fn a_wrong_command_line_is_reported_as_json_on_request() {
    for format in [&["--output=json"][..], &["--output", "json"]] {
        let ran = Monctl::new().args(["up", "--frob"]).args(format).run().code(2).stdout_is("");
        let [error] = &ran.events()[..] else { panic!("not one line: {ran}") };
        assert_eq!(error["event"], "error");
        assert_eq!(error["exit"], "invalid");
        assert_eq!(error["code"], 2);
        assert!(error["message"].as_str().unwrap().contains("--frob"), "{ran}");
    }
}

#[test]
fn the_schema_is_printed_as_json_in_both_formats() {
    for format in ["text", "json"] {
        let schema = Monctl::new().args(["schema", "--output", format]).run().success().json();
        assert!(schema["properties"]["project"].is_object(), "{format}");
    }
}

#[test]
fn nothing_is_coloured_without_a_terminal() {
    let ran = Monctl::new().arg("plan").env("CLICOLOR_FORCE", "1").run();
    ran.stderr_lacks("\u{1b}");
}

/// The rows of a Markdown table whose first cell is a number in backquotes: (number, name in the second).
fn documented_codes(page: &str) -> Vec<(u8, String)> {
    let row = |line: &str| {
        let mut cells =
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        Some((cells.next()?.parse().ok()?, cells.next()?))
    };
    page.lines().filter(|line| line.starts_with('|')).filter_map(row).collect()
}

#[test]
fn the_documentation_lists_exactly_the_exit_codes_that_exist() {
    let page = include_str!("../../docs/exit-codes.md");
    let name = |exit: Exit| serde_json::to_value(exit).unwrap().as_str().unwrap().to_owned();
    let existing: Vec<_> = Exit::ALL.into_iter().map(|exit| (exit.code(), name(exit))).collect();
    assert_eq!(documented_codes(page), existing);
}
#[test]
fn a_missing_spec_is_exit_code_2_and_names_the_file() {
    let project = Project::new();
    project.monctl().args(["plan", "--file", "other.yaml"]).run().code(2).stderr_contains("other.yaml");
    project
        .monctl()
        .arg("plan")
        .env("MONCTL_SPEC", "by-env.yaml")
        .run()
        .code(2)
        .stderr_contains("by-env.yaml");
}

#[test]
fn the_option_wins_over_the_environment() {
    let ran = Project::new()
        .monctl()
        .args(["-f", "a.yaml", "render", "--dry-run"])
        .env("MONCTL_SPEC", "b.yaml")
        .run();
    ran.code(2).stderr_contains("a.yaml").stderr_lacks("b.yaml");
}

#[test]
fn the_spec_option_works_before_and_after_the_subcommand_and_logs_keeps_f_for_follow() {
    for words in
        ["-f a.yaml plan", "plan -f a.yaml", "--file a.yaml plan", "plan --file a.yaml", "up --yes -f a.yaml"]
    {
        let ran = Monctl::new().env("MONCTL_SPEC", "b.yaml").args(words.split(' ')).run().code(2);
        ran.stderr_contains("cannot read the spec `a.yaml`");
    }
    for words in ["-f a.yaml logs -f", "logs -f --file a.yaml", "logs --follow --file a.yaml app"] {
        Monctl::new().args(words.split(' ')).run().code(2).stderr_contains("cannot read the spec `a.yaml`");
    }
}

/// `monctl explain` of the classic spec.
fn explain(words: &[&str]) -> Ran {
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/classic/monctl.yaml");
    Monctl::new().args(["-f", spec, "explain"]).args(words).env("COLUMNS", "100").run()
}

#[test]
fn an_alert_is_explained_from_only_the_spec() {
    explain(&["HighCPUUsage"])
        .success()
        .stderr_is("")
        .stdout_lacks("\u{1b}")
        .stdout_contains("delivered after 141 s on average")
        .stdout_contains("the alert is delivered in about 1 of 56 tries; in 35 of 100 tries")
        .stdout_contains("on 8 CPUs it is never delivered")
        .stdout_contains("what works: the same fault for 145 s, or `group_wait: 14s`");
    explain(&["HighCPU"]).code(2).stderr_contains("its alerts are `HighCPUUsage`");
}

#[test]
fn an_explanation_in_json_has_the_same_facts() {
    let document =
        explain(&["HighCPUUsage", "--value", "85", "--lasting", "120s", "--output", "json"]).json();
    let way = &document["way"];
    assert_eq!(way["trial"]["what"], "85% for 120 s");
    assert_eq!(way["trial"]["remedies"]["duration"], 145_000);
    assert_eq!(way["savings"][0]["setting"], "alerts.HighCPUUsage.for");
    assert_eq!(way["sizes"][0]["value"], 85.0);
    let stages = way["prediction"]["stages"].as_array().unwrap();
    let delivered = stages.iter().find(|stage| stage["stage"] == "delivered").unwrap();
    assert!(delivered["earliest"].as_u64() < delivered["latest"].as_u64(), "{delivered}");
}

#[test]
fn the_help_of_verify_dashboards_mentions_its_requests_and_how_to_avoid_them() {
    let help = Monctl::new().args(["verify-dashboards", "--help"]).run().success();
    help.stdout_contains("real requests to the application").stdout_contains("--no-traffic");
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_else() {
    let project = Project::new();
    for file in ["none/report.html", "."] {
        let ran = project.monctl().args(["verify-alert", "--report", file]).run();
        ran.code(Exit::CouldNotRun.code().into())
            .stderr_contains("could not be written")
            .stderr_contains("help:");
    }
    let files = project.files();
    project.monctl().args(["verify-alert", "--report", "report.html", "Unknown"]).run().code(2);
    assert_eq!(project.files(), files, "a refused run leaves nothing");
}
