//! The content of the report, and that nothing in it can become markup.

use super::*;

fn stage(name: &str, seen: impl Into<Option<f64>>, predicted: impl Into<Option<(f64, f64)>>) -> StageSeen {
    StageSeen { name: name.into(), seen: seen.into(), predicted: predicted.into(), detail: String::new() }
}

pub(super) fn message(title: &str, text: &str, colour: &str) -> ChatMessage {
    ChatMessage {
        channel: "#ops".into(),
        sender: "Alertmanager".into(),
        title: title.into(),
        text: text.into(),
        colour: colour.into(),
    }
}

/// A report in which everything happens once.
pub(super) fn example() -> ReportPage {
    let proven = Section {
        alert: "HighCPUUsage".into(),
        severity: "warning".into(),
        summary: "High CPU usage detected".into(),
        expression: "100 - (avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[8s])) * 100) > 80"
            .into(),
        verdict: AlertVerdict::Proven,
        host: "app".into(),
        fault: "stress-ng --cpu 2 --timeout 53s".into(),
        begun: "2026-11-25 10:20:30 UTC".into(),
        stages: vec![
            stage("load on", 0.0, None),
            stage("expression above threshold", 6.1, (3.8, 9.2)),
            stage("pending", 7.6, (3.8, 11.2)),
            stage("firing", 18.1, (13.8, 21.2)),
            stage("in Alertmanager", 18.1, (13.8, 21.2)),
            stage("sent", 18.6, (14.8, 22.2)),
            stage("delivered", 18.6, (14.8, 22.2)),
            stage("load off", 19.2, None),
            stage("expression below threshold", 22.2, (19.5, 24.9)),
            stage("resolved", 23.6, (21.2, 26.7)),
            stage("resolved delivered", 29.6, (22.6, 26.1)),
        ],
        fault_ended: Some(19.2),
        curve: vec![
            (-4.0, 12.0),
            (0.0, 11.0),
            (2.0, 35.0),
            (4.0, 61.0),
            (6.0, 97.0),
            (8.0, 98.0),
            (12.0, 99.0),
            (18.0, 99.0),
            (20.0, 90.0),
            (22.0, 57.0),
            (24.0, 30.0),
            (28.0, 14.0),
        ],
        threshold: Some(80.0),
        unit: "%".into(),
        messages: vec![
            (
                18.6,
                message(
                    "[FIRING] HighCPUUsage",
                    "CPU usage is above 80% on <http://x|10.97.181.11:9100>, now *93.2%*\n\
                     *What to do:* see `top`\n<https://docs.example/?a=1&amp;b=2|More &amp; more>",
                    "danger",
                ),
            ),
            (29.6, message("[RESOLVED] HighCPUUsage", "CPU usage is above 80% on 10.97.181.11:9100", "good")),
        ],
        unseen: String::new(),
    };
    let stopped = Section {
        alert: "AppDown".into(),
        verdict: AlertVerdict::Stopped {
            stage: "delivered".into(),
            cause: "Slack answers 403 invalid_token".into(),
            remedy: "make a new webhook and put its address where the spec looks for it".into(),
        },
        host: "app".into(),
        begun: "2026-11-25 10:21:30 UTC".into(),
        fault: "systemctl stop monctl-app.service".into(),
        expression: "up{job=\"django-instance\"} == 0".into(),
        stages: vec![
            stage("load on", 0.0, None),
            stage("firing", 12.0, (10.0, 14.0)),
            stage("delivered", None, (11.0, 16.0)),
        ],
        ..Section::default()
    };
    let other = Section { alert: "ClockSkew".into(), expression: "x > 1".into(), ..Section::default() };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    ReportPage {
        coverage: "of 3 alerting rules, 2 are proven".into(),
        project: "shop".into(),
        made: "2026-11-25 10:22:00 UTC".into(),
        alerts: vec![proven, stopped, other],
        hosts: vec![("app".into(), vec![pair("address", "10.97.181.11"), pair("processors", "2")])],
        versions: vec![pair("Prometheus", "3.8.0"), pair("Alertmanager", "0.33.1")],
    }
}

#[test]
fn the_page_shows_each_alert_with_its_stages_and_messages() {
    let page = example().render().unwrap();
    for text in [
        "<strong>1 of 2</strong> alerts are proven",
        "✓ proven",
        "✗ stopped: delivered",
        "– not drilled",
        "Slack answers 403 invalid_token",
        "make a new webhook",
        "stress-ng --cpu 2 --timeout 53s",
        "18.6 s",
        "threshold 80%",
        "<b>later</b>",
        "<p>CPU usage is above 80% on <a href=\"http://x\">10.97.181.11:9100</a>, now <strong>93.2%</strong></p>",
        "<p><strong>What to do:</strong> see <code>top</code></p>",
        "<p><a href=\"https://docs.example/?a=1&amp;b=2\">More &amp; more</a></p>",
        "<h3>app</h3>",
        "<dt>processors</dt><dd>2</dd>",
        "<dt>Prometheus</dt><dd>3.8.0</dd>",
        "<dt>Alertmanager</dt><dd>0.33.1</dd>",
        concat!("monctl ", env!("CARGO_PKG_VERSION"), " · 2026-11-25 10:22:00 UTC"),
    ] {
        assert!(page.contains(text), "no {text:?} in {page}");
    }
}

#[test]
fn the_page_makes_no_requests_and_runs_no_scripts() {
    let page = example().render().unwrap();
    assert!(page.contains("default-src 'none'") && page.contains("x-dns-prefetch-control\" content=\"off\""));
    let page = page.replace("<a href=\"http", "");
    for text in ["<script", "src=", "url(", "@import", "<link", "http://", "https://"] {
        assert!(!page.contains(text), "{text} is in the page");
    }
}

/// The values of all attributes of a name in the page.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    page.split(begin.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn nothing_but_a_messages_links_leads_out_of_the_page() {
    let page = example().render().unwrap();
    let links: Vec<&str> = values(&page, "href").into_iter().filter(|link| !link.starts_with('#')).collect();
    assert_eq!(links, ["http://x", "https://docs.example/?a=1&amp;b=2"]);
    assert_eq!(values(&page, "href").len(), page.matches("<a href=\"").count(), "only anchors lead anywhere");
    for attribute in
        ["src", "srcset", "action", "formaction", "poster", "data", "background", "ping", "xlink:href"]
    {
        assert!(values(&page, attribute).is_empty(), "{attribute}");
    }
    for tag in
        ["<link", "<script", "<iframe", "<object", "<embed", "<img", "<base", "<form", "http-equiv=\"refresh"]
    {
        assert!(!page.contains(tag), "{tag}");
    }
}

#[test]
fn a_missing_message_is_reported_with_its_reason() {
    let mut page = example();
    page.alerts[0].unseen = "only Slack has seen it".into();
    assert!(!page.render().unwrap().contains("only Slack"), "its messages are there");
    page.alerts[0].messages.clear();
    let rendered = page.render().unwrap();
    assert!(rendered.contains("<p class=\"unseen\">only Slack has seen it</p>"), "{rendered}");
}

#[test]
fn no_text_can_become_markup() {
    let evil = "</style></title><script>x</script><img src=x onerror=x>\"'&";
    let texts = || evil.to_owned();
    let mut page = example();
    page.project = texts();
    page.made = texts();
    page.hosts = vec![(texts(), vec![(texts(), texts())])];
    page.versions = vec![(texts(), texts())];
    page.alerts = vec![Section {
        alert: texts(),
        severity: texts(),
        summary: texts(),
        expression: texts(),
        verdict: AlertVerdict::Stopped { stage: texts(), cause: texts(), remedy: texts() },
        host: texts(),
        fault: texts(),
        begun: texts(),
        stages: vec![StageSeen {
            name: texts(),
            seen: Some(1.0),
            predicted: Some((0.0, 2.0)),
            detail: texts(),
        }],
        curve: vec![(0.0, 1.0), (1.0, 2.0)],
        threshold: Some(1.0),
        unit: texts(),
        messages: vec![(1.0, message(evil, evil, evil))],
        unseen: String::new(),
        ..Section::default()
    }];
    page.alerts.push(Section { alert: "Unseen".into(), unseen: texts(), ..Section::default() });
    let rendered = page.render().unwrap();
    for text in ["<script", "<img", "</style></title>"] {
        assert!(!rendered.contains(text), "{text} is in the page");
    }
    assert!(rendered.contains("&lt;script&gt;"));
}

#[test]
fn markup_of_messages_becomes_elements_and_none_that_it_writes_itself() {
    let mut page = example();
    for (text, expected) in [
        ("_*a*_ ~b~", "<p><em><strong>a</strong></em> <s>b</s></p>"),
        ("*<https://x.example|`c`>*", "<p><a href=\"https://x.example\"><strong>`c`</strong></a></p>"),
        ("*`<b>`* *<i>*", "<p><strong><code>&lt;b&gt;</code></strong> <strong>&lt;i&gt;</strong></p>"),
        ("*a\nb*", "<p>*a</p>\n<p>b*</p>"),
        ("a\n\n b ", "<p>a</p>\n<p></p>\n<p> b</p>"),
        ("&lt;img src=x&gt;", "<p>&lt;img src=x&gt;</p>"),
        ("<javascript:alert(1)|x>", "<p>&lt;javascript:alert(1)|x&gt;</p>"),
        ("<https://x/\" onclick=\"y'|z>", "<p><a href=\"https://x/&quot; onclick=&quot;y&#39;\">z</a></p>"),
        ("<https://x/\u{1b}|\u{1b}>", "<p><a href=\"https://x/\u{fffd}\">\u{fffd}</a></p>"),
    ] {
        page.alerts[0].messages = vec![(1.0, message("", text, ""))];
        let rendered = page.render().unwrap();
        let (_, shown) = rendered.split_once("after 1.0 s</span></p>\n").unwrap();
        assert_eq!(shown.split_once("\n</blockquote>").unwrap().0, expected, "{text:?}");
    }
}

#[test]
fn an_axis_covers_all_values_and_has_few_marks() {
    for longest in [0.003, 0.9, 1.0, 7.0, 29.6, 100.0, 4_321.0] {
        let (end, step) = picture::axis(longest);
        let count = picture::ticks(end, step).count();
        assert!(end >= longest && (3..=8).contains(&count), "{longest}: {end} {step} {count}");
    }
}
