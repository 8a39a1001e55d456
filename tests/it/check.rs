//! `monctl check` against a real Prometheus and a real Alertmanager: the catalogue has no findings, and each rule of a
//! folder of broken rules is found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::pipeline::{Process, alertmanager_process, free_address, prometheus_process};
use crate::support::tools::program;
use monctl::http::alertmanager::Alertmanager;
use monctl::http::prometheus::Prometheus;
use monctl::http::{Client, Endpoint};
use monctl::lint::{Finding, FindingKind, Snapshot, check, take};
use monctl::render::{Addresses, Bundle};
use monctl::spec::{Catalogue, CatalogueAlert, Loaded, Spec, load};
use serde_json::json;
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_mins(1);
const NODE: &str = include_str!("../fixtures/exposition/node.txt");
const APP: &str = include_str!("../fixtures/exposition/app.txt");
const ALERTMANAGER: &str = r#"
route:
  receiver: people
  routes:
    - matchers: ['alertname = "Watchdog"']
      receiver: heartbeat
    - matchers: ['severity = "none"']
      receiver: nobody
receivers:
  - name: people
    webhook_configs: [{url: "http://127.0.0.1:9/"}]
  - name: heartbeat
    webhook_configs: [{url: "http://127.0.0.1:9/"}]
  - name: nobody
"#;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/broken-rules")
}

/// A spec with these alerts and keys of `notify`, with monctl's exporter and intervals of a second.
fn spec(folder: &Path, alerts: &str, notify: &str) -> Loaded {
    spec_of(folder, "exporter", "1s", alerts, notify)
}

fn spec_of(folder: &Path, metrics: &str, interval: &str, alerts: &str, notify: &str) -> Loaded {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notes");
    let text = format!(
        "version: 1\nproject: checked\nprovider: local\n\
         app: {{path: {}, wsgi: notes.wsgi, metrics: {metrics}}}\n\
         monitoring: {{scrape_interval: {interval}, evaluation_interval: {interval}}}\n\
         alerts:\n{alerts}notify: {{{notify}}}\n",
        app.display()
    );
    let path = folder.join("monctl.yaml");
    fs::write(&path, text).unwrap();
    load(&path).unwrap()
}

/// The running services; they end when this is dropped.
struct Bench {
    prometheus: Prometheus,
    alertmanager: Alertmanager,
    alertmanager_client: Client,
    _processes: [Process; 2],
    _folder: TempDir,
}

impl Bench {
    /// Starts them with these rule files; `None` if they are not installed, which fails the test with `CI=true`.
    async fn start(rules: &BTreeMap<String, String>) -> Option<Self> {
        let exporters = exporters().await;
        let configuration = |ours, theirs| configuration(exporters, ours, theirs, rules.keys());
        let bench = Self::with(rules, configuration)?;
        // Waits until every rate has a value.
        bench.wait_ready("count_over_time(up[1m]) >= 6").await;
        Some(bench)
    }

    /// The same with another configuration of Prometheus, from its address and Alertmanager's.
    fn with(
        rules: &BTreeMap<String, String>,
        configuration: impl FnOnce(SocketAddr, SocketAddr) -> String,
    ) -> Option<Self> {
        let (prometheus, alertmanager) = (program("prometheus")?, program("prometheus-alertmanager")?);
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (free_address(), free_address());
        for (name, text) in rules {
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::write(folder.path().join("alertmanager.yml"), ALERTMANAGER).unwrap();
        fs::write(folder.path().join("prometheus.yml"), configuration(ours, theirs)).unwrap();
        let processes = [
            alertmanager_process(&alertmanager, folder.path(), theirs),
            prometheus_process(&prometheus, folder.path(), ours),
        ];
        Some(Self {
            prometheus: Prometheus::new(&Endpoint::Tcp(ours)).unwrap(),
            alertmanager: Alertmanager::new(&Endpoint::Tcp(theirs)).unwrap(),
            alertmanager_client: Client::new("Alertmanager", &Endpoint::Tcp(theirs)).unwrap(),
            _processes: processes,
            _folder: folder,
        })
    }

    /// Waits until this query returns a value for each target, and every rule was evaluated.
    async fn wait_ready(&self, scraped: &str) {
        let begin = Instant::now();
        loop {
            let counts = self.prometheus.query(scraped).await;
            let scraped = counts.is_ok_and(|counts| counts.len() == 4);
            let rules = self.prometheus.rules().await.unwrap_or_default();
            let evaluated = !rules.is_empty() && rules.iter().all(|rule| rule.health != "unknown");
            let linked = self.prometheus.alertmanagers().await.is_ok_and(|count| count == 1);
            let answers = self.alertmanager.configuration().await.is_ok();
            if scraped && evaluated && linked && answers {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "not ready: {scraped} {evaluated} {linked} {answers}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn look(&self, spec: &Spec) -> Snapshot {
        take(spec, &self.prometheus, &self.alertmanager).await.unwrap()
    }
}

/// Exporters of a host and of an application at one address, with a CPU usage of 10%.
async fn exporters() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let begin = Instant::now();
    let node = move || {
        let idle = begin.elapsed().as_secs_f64() * 0.9;
        let lines = (0..2).fold(NODE.to_owned(), |mut text, cpu| {
            let _ = writeln!(text, "node_cpu_seconds_total{{cpu=\"{cpu}\",mode=\"idle\"}} {idle}");
            text
        });
        std::future::ready(lines)
    };
    let router = axum::Router::new()
        .route("/node", axum::routing::get(node))
        .route("/app", axum::routing::get(|| std::future::ready(APP)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn configuration<'a>(
    exporters: SocketAddr,
    prometheus: SocketAddr,
    alertmanager: SocketAddr,
    rules: impl Iterator<Item = &'a String>,
) -> String {
    let job = |name: &str, path: &str, target: SocketAddr| json!({"job_name": name, "metrics_path": path, "static_configs": [{"targets": [target]}]});
    json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "rule_files": rules.collect::<Vec<_>>(),
        "scrape_configs": [
            job("prometheus", "/metrics", prometheus),
            job("alertmanager", "/metrics", alertmanager),
            job("node-exporter", "/node", exporters),
            job("django-instance", "/app", exporters),
        ],
    })
    .to_string()
}

#[tokio::test]
async fn the_catalogue_is_clean() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::default();
    let names = catalogue.names().filter(|name| is_scraped(catalogue.alert(name).unwrap()));
    let lines: Vec<_> = names.map(|name| format!("  {name}: {{}}\n")).collect();
    let loaded = spec(folder.path(), &lines.concat(), "capture: {}, heartbeat_url: {env: HEARTBEAT}");
    let bundle = Bundle::render(&loaded.spec, &Addresses::default()).unwrap();
    let (_, rules) = bundle.iter().find(|(name, _)| name.ends_with("alert_rules.yml")).unwrap();
    let rules = BTreeMap::from([("alert_rules.yml".to_owned(), rules.masked().into_owned())]);
    let Some(bench) = Bench::start(&rules).await else { return };
    let snapshot = bench.look(&loaded.spec).await;
    assert_eq!(snapshot.rules.len(), lines.len());
    assert_eq!(check(&snapshot), []);
}

/// Whether an alert is about something that is scraped here: there is no web server of a domain.
fn is_scraped(alert: &CatalogueAlert) -> bool {
    !["caddy", "watch"].contains(&alert.integration.as_str())
}

/// Responses of real exporters, one at each path.
const RECORDED: [(&str, &str); 5] = [
    ("/node", include_str!("../fixtures/metrics/node-exporter.txt")),
    ("/exporter", include_str!("../fixtures/metrics/exporter.txt")),
    ("/builtin", include_str!("../fixtures/metrics/builtin.txt")),
    ("/prometheus", include_str!("../fixtures/metrics/prometheus.txt")),
    ("/alertmanager", include_str!("../fixtures/metrics/alertmanager.txt")),
];

/// Checks the catalogue on responses of real exporters, scraped every 15 s.
async fn findings_on_recorded(way: &str, without: &str) -> Option<Vec<Finding>> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut router = axum::Router::new();
    for (path, text) in RECORDED {
        let is_kept = |line: &&str| without.is_empty() || !line.contains(without);
        let text = text.lines().filter(is_kept).collect::<Vec<_>>().join("\n") + "\n";
        router = router.route(path, axum::routing::get(move || std::future::ready(text.clone())));
    }
    tokio::spawn(async move { axum::serve(listener, router).await });

    let folder = tempfile::tempdir().unwrap();
    let counts_so =
        |entry: &CatalogueAlert| entry.only.is_none_or(|only| serde_json::to_value(only).unwrap() == way);
    let catalogue = Catalogue::default();
    let names = catalogue.names().filter(|name| {
        counts_so(catalogue.alert(name).unwrap()) && is_scraped(catalogue.alert(name).unwrap())
    });
    let lines: Vec<_> = names.map(|name| format!("  {name}: {{}}\n")).collect();
    let loaded =
        spec_of(folder.path(), way, "15s", &lines.concat(), "capture: {}, heartbeat_url: {env: HEARTBEAT}");
    let rules = Bundle::render(&loaded.spec, &Addresses::default()).unwrap();
    let rules = rules.get("alert_rules.yml").unwrap().masked().into_owned();
    let rules = BTreeMap::from([("alert_rules.yml".to_owned(), rules)]);
    let job = |name: &str, path: String| json!({"job_name": name, "metrics_path": path, "static_configs": [{"targets": [address]}]});
    let configuration = |_, alertmanager: SocketAddr| {
        json!({
            "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
            "rule_files": ["alert_rules.yml"],
            "scrape_configs": [
                job("prometheus", "/prometheus".into()),
                job("alertmanager", "/alertmanager".into()),
                job("node-exporter", "/node".into()),
                job("django-instance", format!("/{way}")),
            ],
        })
        .to_string()
    };
    let bench = Bench::with(&rules, configuration)?;
    bench.wait_ready("up == 1").await;
    let snapshot = bench.look(&loaded.spec).await;
    assert_eq!(snapshot.rules.len(), lines.len());
    Some(check(&snapshot))
}

#[tokio::test]
async fn the_catalogue_is_clean_on_responses_of_real_exporters_with_both_kinds_of_metrics() {
    let (exporter, builtin) =
        tokio::join!(findings_on_recorded("exporter", ""), findings_on_recorded("builtin", ""));
    assert_eq!(exporter.unwrap_or_default(), []);
    assert_eq!(builtin.unwrap_or_default(), []);
}

#[tokio::test]
async fn a_metric_that_a_project_setting_disables_is_found_with_that_setting() {
    let Some(findings) = findings_on_recorded("builtin", "django_migrations_").await else { return };
    let [finding] = findings.as_slice() else { panic!("{findings:#?}") };
    assert_eq!(
        (finding.rule.as_deref(), finding.kind),
        (Some("UnappliedMigrations"), FindingKind::MatchesNothing)
    );
    assert!(finding.remedy.contains("`PROMETHEUS_EXPORT_MIGRATIONS = True`"), "{}", finding.remedy);
}

#[tokio::test]
async fn every_broken_rule_is_found_and_nothing_else() {
    let files: BTreeMap<String, String> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect();
    assert!(files.len() >= 20);
    let Some(bench) = Bench::start(&files).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let loaded = spec(folder.path(), "  Forgotten:\n    expr: up == 0\n", "capture: {}");
    let silence = json!({
        "matchers": [{"name": "alertname", "value": "Up.*", "isRegex": true}],
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "jo", "comment": "for now",
    });
    assert!(bench.alertmanager_client.post("/api/v2/silences", &silence).await.unwrap().is_success());

    let findings = check(&bench.look(&loaded.spec).await);
    let kinds_of = |alert: Option<&str>| -> BTreeSet<FindingKind> {
        findings.iter().filter(|it| it.rule.as_deref() == alert).map(|it| it.kind).collect()
    };
    let mut seen =
        BTreeSet::from([FindingKind::NotLoaded, FindingKind::EndlessSilence, FindingKind::NoAlertmanager]);
    for (name, text) in &files {
        let after =
            |prefix: &str| text.split_once(prefix).unwrap().1.lines().next().unwrap().trim().to_owned();
        let word = after("# Found as: ");
        let expected = FindingKind::ALL.into_iter().find(|kind| kind.word() == word).unwrap();
        assert_eq!(kinds_of(Some(&after("- alert: "))), [expected].into(), "{name}: {findings:#?}");
        seen.insert(expected);
    }
    assert_eq!(seen, FindingKind::ALL.into(), "a kind of finding has no broken rule");
    assert_eq!(kinds_of(Some("Forgotten")), [FindingKind::NotLoaded].into());
    assert_eq!(kinds_of(None), [FindingKind::EndlessSilence].into());
    let silence = findings.iter().find(|it| it.kind == FindingKind::EndlessSilence).unwrap();
    assert!(silence.evidence.contains("it silences `UpThatIsTwo`"), "{}", silence.evidence);
    assert!(findings.iter().all(complete), "{findings:#?}");
}

/// Whether a finding has evidence and a remedy.
fn complete(finding: &Finding) -> bool {
    !finding.evidence.is_empty() && !finding.remedy.is_empty()
}
