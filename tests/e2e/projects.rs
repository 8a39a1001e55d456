//! Projects of different makes, unmodified: each from `monctl init` to an application that serves with its style, is
//! counted exactly, and is deployed again without a failed request.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::site::{APP, CALM, PATIENCE, Site, get, keeps_secrets};
use crate::support::binary::Monctl;
use crate::turns;

/// A project below `tests/fixtures/projects`, and what its environment must have.
struct Make {
    name: &'static str,
    secrets: &'static [&'static str],
    /// Whether it serves its static files itself, as with WhiteNoise.
    has_style: bool,
    /// A file of its code.
    code: &'static str,
}

const fn make(name: &'static str, secrets: &'static [&'static str], code: &'static str) -> Make {
    Make { name, secrets, has_style: true, code }
}

/// Nothing is added by hand to what `init` writes but secrets.
const MAKES: [Make; 10] = [
    // As `django-admin startproject` makes it: with DEBUG, Gunicorn serves no static files.
    Make { has_style: false, ..make("plain", &[], "plain/urls.py") },
    make("split", &["SECRET_KEY"], "split/urls.py"),
    make("environs", &["SECRET_KEY"], "environs/urls.py"),
    make("srclayout", &["SECRET_KEY"], "src/srclayout/urls.py"),
    make("poems", &["SECRET_KEY"], "poems/urls.py"),
    make("chatter", &["SECRET_KEY"], "chatter/urls.py"),
    make("below", &["SECRET_KEY"], "backend/below/urls.py"),
    make("cutter", &["DJANGO_SECRET_KEY", "DJANGO_ADMIN_URL"], "config/urls.py"),
    make("keeper", &[], "keeper/urls.py"),
    // With PostgreSQL, whose library is built from its source, and Celery by Redis.
    make(ORDERS, &["SECRET_KEY"], "orders/urls.py"),
];
/// The project with servers.
const ORDERS: &str = "orders";

/// Requests between two readings of the counters.
const REQUESTS: usize = 50;

#[test]
fn every_make_of_project_is_served_counted_and_deployed_again() {
    let Some(site) = Site::new() else { return };
    let only = std::env::var("MONCTL_TEST_SCENARIOS").unwrap_or_default();
    let mut failed = Vec::new();
    for make in MAKES.iter().filter(|make| only.is_empty() || only.split(',').any(|word| make.name == word)) {
        let work = std::panic::AssertUnwindSafe(|| from_init_to_a_second_deploy(&site, make));
        if std::panic::catch_unwind(work).is_err() {
            failed.push(make.name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}

fn from_init_to_a_second_deploy(site: &Site, make: &Make) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/projects").join(make.name);
    let copied = Command::new("cp").arg("-rT").args([source, site.path(make.name)]).status().unwrap();
    assert!(copied.success());
    let call = |words: &str| -> Monctl {
        let call = site.call(&format!("--file {}.yaml {words}", make.name));
        make.secrets.iter().fold(call, |call, name| call.env(name, "0123456789-0123456789"))
    };
    call(&format!("init --yes {}", make.name)).run().success();
    on_the_machines_of(site, make.name);

    let up = || {
        let _turn = turns::busy();
        keeps_secrets(call("up --yes").run()).success()
    };
    up();
    let address = site.address(APP);
    let (status, page) = get(&address, "/").unwrap();
    assert!(status == 200 && page.contains(&format!("<h1>{}</h1>", make.name)), "{page}");
    if make.has_style {
        let style = page.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let (status, style) = get(&address, style).unwrap();
        assert!(status == 200 && style.contains("teal"), "{style}");
    }
    let before = counted(site);
    for _ in 0..REQUESTS {
        assert_eq!(get(&address, "/").unwrap().0, 200);
    }
    assert_eq!(counted(site) - before, REQUESTS, "{}", make.name);

    if make.name == ORDERS {
        orders_are_delivered(site);
    }
    let code = format!("{}/{}", make.name, make.code);
    site.edit(&code, "<h1>", "<p>again</p><h1>");
    site.under_load(|| drop(up()));
    assert!(site.page().contains("<p>again</p>"), "{}", make.name);
    if make.name == ORDERS {
        servers_keep_and_guard_their_data(site, up);
    }
}

/// A task really runs: the page takes an order, and the worker delivers it.
fn orders_are_delivered(site: &Site) {
    assert_eq!(get(&site.address(APP), "/order").unwrap().0, 202);
    let deadline = Instant::now() + PATIENCE;
    while !site.page().contains("<p>1 delivered</p>") {
        assert!(Instant::now() < deadline, "{}", site.page());
        sleep(Duration::from_millis(200));
    }
}

/// What was ordered is there after a deploy with a migration, which copied the database first. Only the application's
/// user reaches the servers, from this host only, and no password is in the environment of monctl.
fn servers_keep_and_guard_their_data<T>(site: &Site, up: impl Fn() -> T) {
    let migration = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    \
        dependencies = [(\"orders\", \"0001_order\")]\n    operations = [migrations.AddField(\"Order\", \"note\", \
        models.TextField(default=\"\"))]\n";
    site.write("orders/orders/migrations/0002_note.py", migration);
    site.edit("orders/orders/models.py", "False)\n", "False)\n    note = models.TextField(default=\"\")\n");
    up();
    assert!(site.page().contains("<p>1 delivered</p>"), "{}", site.page());
    let copy = "ls /var/lib/monctl/app-copies/*/default.dump | tail -n 1 | xargs pg_restore --list | grep -c 'TABLE DATA'";
    assert!(site.on(APP, copy).trim().parse::<usize>().unwrap() > 1);
    let as_other = "setpriv --reuid=nobody --regid=nogroup --clear-groups psql --host=/run/monctl-postgresql \
                    --username=monctl-app app --command='SELECT 1' 2>&1 || true";
    assert!(site.on(APP, as_other).contains("Peer authentication failed"));
    assert!(site.on(APP, "redis-cli -p 6390 ping").contains("NOAUTH"));
    let open = "ss --listening --tcp --numeric --no-header | grep -E ':(5432|6390) ' | awk '{ print $4 }'";
    assert_eq!(site.on(APP, open).trim(), "127.0.0.1:6390");
    let debian =
        "systemctl list-units --plain --no-legend 'postgresql@*' 'redis-server*'; ls /etc/postgresql";
    assert_eq!(site.on(APP, debian).trim(), "");
    let secret =
        site.on(APP, "sed -n 's/^REDIS_URL=redis:..:\\(.*\\)@.*/\\1/p' /var/lib/monctl/services/environment");
    let seen = format!("grep -rl '{}' /etc /var/lib/monctl --exclude-dir=services || true", secret.trim());
    assert!(secret.trim().len() == 64 && site.on(APP, &seen).trim().is_empty(), "{secret}");
}

/// Makes the spec that `init` wrote one of this test's machines.
fn on_the_machines_of(site: &Site, name: &str) {
    let path = format!("{name}.yaml");
    let spec = fs::read_to_string(site.path(&path)).unwrap();
    let own = format!("project: {name}\n");
    assert!(spec.contains(&own), "{spec}");
    let spec = spec.replace(&own, &format!("project: {}\n", site.project.name));
    let install = site.programs.install();
    site.write(&path, &format!("{spec}monitoring:\n{CALM}  {install}\ngrafana: {{required: false}}\n"));
}

/// How many responses with status 200 the application has counted.
fn counted(site: &Site) -> usize {
    let family = "django_http_responses_total_by_status_total{status=\"200\"}";
    let metrics = site.on(APP, "curl --silent --fail localhost:9101/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix(family));
    // The text format writes whole numbers with `.0`.
    line.map_or(0, |value| value.trim().trim_end_matches(".0").parse().unwrap())
}
