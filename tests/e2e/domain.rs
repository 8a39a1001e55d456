//! An application with a domain: Caddy in front of it, with a certificate of Pebble, the test authority of Let's Encrypt,
//! which runs on the monitoring host.

use crate::site::{APP, MONITORING, Site, eventually};

const SPEC: &str = "  path: app\n";
const DOMAIN: &str = "  domain: shop.example\n  acme: {directory: \"https://pebble.example:14000/dir\"}\n";
const PAGE: &str = "https://shop.example/";

/// Makes Pebble's own certificate, starts it, and waits for it. It knows the domain by `/etc/hosts`. Prints the root that
/// signed its own certificate.
const PEBBLE: &str = r#"set -eu
apt-get -qq update >&2
apt-get -qq install --no-install-recommends pebble >&2 2>/dev/null
mkdir -p /root/pebble
cd /root/pebble
echo "ADDRESS shop.example" >>/etc/hosts
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=test 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=pebble.example 2>/dev/null
echo subjectAltName=DNS:pebble.example >names
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -extfile names 2>/dev/null
cat >config.json <<end
{"pebble": {"listenAddress": "0.0.0.0:14000", "managementListenAddress": "127.0.0.1:15000",
 "certificate": "/root/pebble/cert.pem", "privateKey": "/root/pebble/key.pem", "httpPort": 80, "tlsPort": 443}}
end
systemd-run --quiet --unit=pebble --setenv=PEBBLE_VA_NOSLEEP=1 --setenv=PEBBLE_WFE_NONCEREJECT=0 \
	pebble -config /root/pebble/config.json
until curl --insecure --silent --fail https://127.0.0.1:15000/roots/0 >root.pem; do sleep 0.1; done
cat ca.pem"#;

/// Asks for the page again and again, and counts the answers and what was no answer.
const LOAD: &str = r#"systemd-run --quiet --unit=load sh -c '
end=$(($(date +%s) + 300)); while [ ! -e /root/pebble/stop ] && [ $(date +%s) -lt $end ]; do
	curl --cacert /root/pebble/root.pem -sS -o /dev/null -w "%{http_code}\n" https://shop.example/
done >/root/pebble/answers 2>&1'"#;

/// A call of curl on the monitoring host.
fn curl(site: &Site, words: &str) -> String {
    site.on(MONITORING, &format!("curl --silent --show-error --cacert /root/pebble/root.pem {words}"))
}

pub fn a_domain_gets_a_certificate_and_a_deploy_loses_no_request(site: &Site) {
    site.edit("monctl.yaml", SPEC, &format!("{SPEC}{DOMAIN}"));

    // The authority cannot be reached: `up` reports the cause, and the application works.
    site.monctl("up --yes")
        .code(1)
        .stdout_contains("`shop.example` has no certificate")
        .stdout_contains("lookup pebble.example");
    site.monctl("plan").success();
    let own = site.on(APP, "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8000/");
    assert_eq!(own, "200");

    let root = site.on(MONITORING, &PEBBLE.replace("ADDRESS", &site.address(APP)));
    let address = site.address(MONITORING);
    site.on(
        APP,
        &format!(
            "echo '{address} pebble.example' >>/etc/hosts && echo '{root}' >/usr/local/share/ca-certificates/pebble.crt \
             && update-ca-certificates >/dev/null 2>&1"
        ),
    );
    site.monctl("up --yes")
        .success()
        .stdout_contains("no change")
        .stdout_contains("app: https://shop.example/");

    assert_eq!(
        curl(site, "-o /dev/null -w '%{http_code} %{redirect_url}' 'http://shop.example/new/?a=b'"),
        "308 https://shop.example/new/?a=b"
    );
    assert!(curl(site, PAGE).contains(r#"href="/static/notebook/style.css""#));
    let style = curl(site, &format!("--head {PAGE}static/notebook/style.css"));
    assert!(style.contains("content-type: text/css") && style.contains("server: Caddy"), "{style}");
    for (path, status) in [("static/", "404"), ("static/none.css", "404"), ("static/../settings", "400")] {
        let asked = format!("--path-as-is -o /dev/null -w '%{{http_code}}' {PAGE}{path}");
        assert_eq!(curl(site, &asked), status, "{path}");
    }
    let closed = format!("curl -sS http://{}:8000/ 2>&1 || true", site.address(APP));
    assert!(site.on(MONITORING, &closed).contains("Could not connect"), "Gunicorn's port is open");
    site.targets_are_up(6);
    let expiry = "curl -s http://127.0.0.1:2020/metrics | sed -n 's/^caddy_certificate_expiry.* //p'";
    let ends: u64 = site.on(APP, expiry).parse().unwrap();
    let now: u64 = site.on(APP, "date +%s").parse().unwrap();
    assert!(ends > now + 86_400, "{ends} at {now}");

    let caddy = site.process(APP, "caddy");
    site.on(MONITORING, LOAD);
    site.edit("app/notebook/static/notebook/style.css", "body", "/* second edition */\nbody");
    site.converge();
    site.on(MONITORING, "touch /root/pebble/stop");
    eventually("the load ends", || site.on(MONITORING, "systemctl is-active load || true") != "active");
    let answers = site.on(MONITORING, "sort /root/pebble/answers | uniq -c");
    let count = answers.trim().strip_suffix(" 200").and_then(|count| count.trim().parse::<u32>().ok());
    assert!(count.is_some_and(|count| count > 20), "{answers}");
    assert!(curl(site, &format!("{PAGE}static/notebook/style.css")).contains("second edition"));
    assert_eq!(site.process(APP, "caddy"), caddy);

    // A Caddyfile that Caddy refuses is not possible here; a new one is loaded without a restart.
    site.edit("monctl.yaml", "  acme: {", "  acme: {email: ops@shop.example, ");
    site.converge();
    assert_eq!(site.process(APP, "caddy"), caddy);
    let exposure = "systemd-analyze security --no-pager monctl-caddy.service monctl-caddy-certificates.service \
                    | sed -n 's/.*exposure level for .*: \\([0-9.]*\\) .*/\\1/p'";
    assert!(site.on(APP, exposure).lines().all(|level| level.parse::<f64>().unwrap() <= 4.0));

    // Without the domain, the application has its port again.
    site.edit("monctl.yaml", "  acme: {email: ops@shop.example, ", "  acme: {");
    site.edit("monctl.yaml", DOMAIN, "");
    site.edit("app/notebook/static/notebook/style.css", "/* second edition */\n", "");
    site.converge();
    assert!(site.page().contains("<title>"));
    assert_eq!(site.process(APP, "caddy"), "0");
    assert_eq!(site.on(APP, "ss -Hltn 'sport = :443 or sport = :80 or sport = :2020'"), "");
    site.on(MONITORING, "systemctl stop pebble");
    site.targets_are_up(4);
}
