//! Typical projects, and how their requests are counted.

use std::fs;

use super::*;

const WSGI: &str = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";
const SETTINGS: &str = "ROOT_URLCONF = 'shop.urls'\nINSTALLED_APPS = ['django_prometheus']\n";
const URLS: &str = "urlpatterns = [path('', include('django_prometheus.urls'))]\n";

/// How a project with these files is counted, and where its metrics are.
fn decided(files: &[(&str, &str)], spec: &str) -> (Metrics, Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut app: App = serde_saphyr::from_str(&format!("path: .\nwsgi: shop.wsgi\n{spec}")).unwrap();
    decide(folder.path(), &mut app, &FileVariables::new());
    (app.metrics(), app.metrics_path.map(|path| path.to_string()))
}

fn builtin(path: &str) -> (Metrics, Option<String>) {
    (Metrics::Builtin, Some(path.to_owned()))
}

const EXPORTER: (Metrics, Option<String>) = (Metrics::Exporter, None);

#[test]
fn the_settings_in_use_and_the_urls_decide() {
    let usual = [("shop/wsgi.py", WSGI), ("shop/settings.py", SETTINGS), ("shop/urls.py", URLS)];
    assert_eq!(decided(&usual, ""), builtin("/metrics"));
    let with = |name: &'static str, text: &'static str| {
        usual.map(|(file, old)| if file == name { (file, text) } else { (file, old) })
    };
    // A word in a comment, in other settings, or in the requirements alone decides nothing.
    let commented = "ROOT_URLCONF = 'shop.urls'\nINSTALLED_APPS = []  # 'django_prometheus'\n";
    assert_eq!(decided(&with("shop/settings.py", commented), ""), EXPORTER);
    let plain = "ROOT_URLCONF = 'shop.urls'\nINSTALLED_APPS = []\n";
    let other = [("shop/settings_dev.py", SETTINGS), ("requirements.txt", "django-prometheus\n")];
    assert_eq!(decided(&[&with("shop/settings.py", plain)[..], &other].concat(), ""), EXPORTER);
    // Installed, and no URL leads to it.
    assert_eq!(decided(&with("shop/urls.py", "urlpatterns = []\n"), ""), EXPORTER);
    assert_eq!(
        decided(&with("shop/urls.py", "# path('', include('django_prometheus.urls'))\n"), ""),
        EXPORTER
    );
    // Which settings are in use is decided at run time.
    assert_eq!(
        decided(&with("shop/wsgi.py", "os.environ['DJANGO_SETTINGS_MODULE'] = choose()\n"), ""),
        EXPORTER
    );
}

#[test]
fn the_path_of_the_metrics_is_found_in_the_urls() {
    for (urls, path) in [
        (
            "path('monitoring/prometheus/', include('django_prometheus.urls'))",
            Some("/monitoring/prometheus/metrics"),
        ),
        ("path(\n    'ops/',\n    include(\"django_prometheus.urls\"),\n)", Some("/ops/metrics")),
        ("re_path(r'^ops/', include('django_prometheus.urls'))", Some("/ops/metrics")),
        ("url(r'^', include('django_prometheus.urls'))", Some("/metrics")),
        ("path('stats', exports.ExportToDjangoView, name='x')", Some("/stats")),
        ("path('api/', include('shop.api'))", Some("/api/inner/metrics")),
        ("path('<slug:tenant>/', include('django_prometheus.urls'))", None),
        ("re_path(r'^(a|b)/', include('django_prometheus.urls'))", None),
        ("path('loop/', include('shop.urls'))", None),
    ] {
        let text = format!("urlpatterns = [path('', home), {urls}]\n");
        let api = "urlpatterns = [path('inner/', include('django_prometheus.urls'))]\n";
        let files = [
            ("shop/wsgi.py", WSGI),
            ("shop/settings.py", SETTINGS),
            ("shop/urls.py", &text),
            ("shop/api.py", api),
        ];
        assert_eq!(decided(&files, ""), path.map_or(EXPORTER, builtin), "{urls}");
    }
}

#[test]
fn settings_are_followed_as_python_would() {
    let base = ("shop/settings/base.py", SETTINGS);
    let urls = ("shop/urls.py", URLS);
    let named = "os.environ['DJANGO_SETTINGS_MODULE'] = \"shop.settings.production\"\n";
    let split = |wsgi, settings| [("shop/wsgi.py", wsgi), settings, base, urls];
    let production = ("shop/settings/production.py", "from .base import *\nDEBUG = False\n");
    assert_eq!(decided(&split(named, production), ""), builtin("/metrics"));
    let absolute = ("shop/settings/production.py", "from shop.settings.base import *\n");
    assert_eq!(decided(&split(named, absolute), ""), builtin("/metrics"));
    let package = ("shop/settings/__init__.py", "from .base import *\n");
    assert_eq!(decided(&split(WSGI, package), ""), builtin("/metrics"));
    let alone = ("shop/settings/production.py", "INSTALLED_APPS = []\nROOT_URLCONF = 'shop.urls'\n");
    assert_eq!(decided(&split(named, alone), ""), EXPORTER);
    let chosen = "env: {DJANGO_SETTINGS_MODULE: shop.settings.base}";
    assert_eq!(decided(&split(named, alone), chosen), builtin("/metrics"));
}

#[test]
fn choices_of_the_spec_are_kept() {
    let prefix = "urlpatterns = [path('ops/', include('django_prometheus.urls'))]\n";
    let files = [("shop/wsgi.py", WSGI), ("shop/settings.py", SETTINGS), ("shop/urls.py", prefix)];
    assert_eq!(decided(&files, "metrics: exporter"), EXPORTER);
    assert_eq!(decided(&files, "metrics: builtin"), builtin("/ops/metrics"));
    assert_eq!(decided(&files, "metrics_path: /mine"), builtin("/mine"));
    assert_eq!(decided(&[], "metrics: builtin"), (Metrics::Builtin, None));
    assert_eq!(decided(&[], ""), EXPORTER);
}

#[test]
fn a_setting_counts_where_it_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("shop")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join("shop").join(name), text).unwrap();
    let mut app: App = serde_saphyr::from_str("path: .\nwsgi: shop.wsgi\n").unwrap();
    let has = |app: &App| {
        settings_mention(folder.path(), app, &FileVariables::new(), "PROMETHEUS_EXPORT_MIGRATIONS")
    };
    write("wsgi.py", WSGI);
    write("settings.py", SETTINGS);
    write("settings_dev.py", "PROMETHEUS_EXPORT_MIGRATIONS = True\n");
    assert!(!has(&app), "those settings are not in use");
    write("settings.py", "# PROMETHEUS_EXPORT_MIGRATIONS = True\n");
    assert!(!has(&app));
    write("settings.py", "PROMETHEUS_EXPORT_MIGRATIONS = True\n");
    assert!(has(&app));
    write("settings.py", SETTINGS);
    app.env.insert("DJANGO_SETTINGS_MODULE".parse().unwrap(), EnvValue::Plain("shop.settings_dev".into()));
    assert!(has(&app));
    app.env.clear();
    write("wsgi.py", "");
    assert!(has(&app), "the settings in use are unknown");
}
