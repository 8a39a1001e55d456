//! Tables: valid templates, and faulty ones, each with its message and its place.

use super::*;

const SOUND: [&str; 22] = [
    "",
    "plain } text",
    "{{ $labels.queue }} {{- printf \"%.1f}}\" $value -}}",
    "{{ if gt $value 5.0 }}a{{ else }}b{{ end }}",
    "{{ if gt $value 0.95 }}a{{ else if gt $value 0.9 }}b{{ else }}c{{ end }}",
    "{{ range query `up{job=\"x\"}` }}{{ .Value }}{{ .Labels.instance }}{{ end }}",
    "{{/* a comment */}}",
    "{{- /* a comment */ -}}",
    "{{ \"\\\"}}\" }}",
    "{{ $value | humanize1024 }} of {{ $labels.instance | stripPort }}",
    "{{ humanizePercentage $value }} {{ .Value }} {{ .Labels.a }} {{ $.Labels.a }}",
    "{{ with printf \"up{instance='%s'}\" .Labels.instance | query }}{{ . | first | value }}{{ end }}",
    "{{ $x := 5 }}{{ $x = 6 }}{{ $x }}",
    "{{ range $i, $e := query \"up\" }}{{ $i }}{{ $e.Value }}{{ break }}{{ end }}",
    "{{ define \"a\" }}{{ . }}{{ end }}{{ template \"a\" $value }}",
    "{{ index $labels \"a-b\" }}",
    "{{ (query \"up\" | first).Value }}",
    "{{ if and (ne $labels.a \"b\") (not $labels.c) }}x{{ end }}",
    "{{ with $x := $labels.a }}{{ $x }}{{ else }}{{ $x }}{{ end }}",
    "{{ 'a' }}",
    "{{ if eq 1 2 }}{{ end }}",
    "{{\n  $value\n}}",
];

#[test]
fn sound_templates_have_no_fault() {
    for template in SOUND {
        assert_eq!(fault(template, &PROMETHEUS), None, "{template}");
    }
    for template in [
        "{{ .CommonLabels.alertname }} {{ .Status | toUpper }} {{ len .Alerts.Firing }}",
        "{{ range .Alerts }}{{ .Annotations.description }}{{ .StartsAt.UTC.Format \"15:04\" }}{{ end }}",
        "{{ range .Alerts.Firing }}{{ .Labels.a }}{{ end }}",
        "{{ with index .Alerts 0 }}{{ .Labels.a }}{{ end }}",
        "{{ template \"slack.default.title\" . }}",
        "{{ $labels := .CommonLabels }}{{ range ($labels.Remove (stringSlice \"a\")).SortedPairs }}{{ .Name }}{{ end }}",
        "{{ if gt (len .Alerts) 3 }}many{{ end }}",
        "{{ range .Alerts }}{{ $.CommonLabels.a }}{{ end }}",
    ] {
        assert_eq!(fault(template, &ALERTMANAGER), None, "{template}");
    }
}

/// Each template has its fault at the place of `at`, with these words in its message.
fn broken(dialect: &Dialect, cases: &[(&str, &str, &str)]) {
    for (template, at, words) in cases {
        let found = fault(template, dialect).unwrap_or_else(|| panic!("{template}"));
        assert!(found.message.contains(words), "{template}: {}", found.message);
        assert!(template[found.at..].starts_with(at), "{template}: at {}", &template[found.at..]);
    }
}

#[test]
fn syntax_errors_have_their_place() {
    broken(
        &PROMETHEUS,
        &[
            ("it is {{ $value", "{{ $value", "`{{ $value` has no `}}`"),
            ("{{ $labels.a } x", "{{ $labels", "has no `}}`"),
            ("{{ \"a }}", "{{ \"a", "has no `}}`"),
            ("{{ }}", "{{ }}", "`{{ }}` is empty"),
            ("{{ if $value }}a", "if", "`{{ if }}` has no `{{ end }}`"),
            ("a{{ end }}", "end", "an `{{ end }}` without a block"),
            ("{{ else }}", "else", "an `{{ else }}` without an `{{ if }}`"),
            ("{{ if $value }}{{ else }}{{ else }}{{ end }}", "else }}{{ end", "a second `{{ else }}`"),
            ("{{ break }}", "break", "outside of any `{{ range }}`"),
            ("{{ $value * 100 }}", "* 100", "no operators such as `*`"),
            ("{{ $value > 3 }}", "> 3", "no operators such as `>`"),
        ],
    );
}

#[test]
fn faults_of_quotes_names_and_pipes_have_their_place() {
    broken(
        &PROMETHEUS,
        &[
            ("{{ printf '%.1f' $value }}", "'%.1f'", "write `\"%.1f\"`"),
            ("{{ $labels.foo-bar }}", "-bar", "write `index $labels \"foo-bar\"`"),
            ("{{ (printf \"a\" }}", "}}", "is not allowed here"),
            ("{{ $value | }}", "}}", "a value is missing"),
            ("{{ $value | 3 }}", "3 }}", "`|` needs a function after it"),
            ("{{ \"a\".b }}", ".b", "has no fields"),
            ("{{ template foo }}", "template", "the name of a template"),
            ("{{/* a comment */ x }}", " x", "a comment must be the end of its action"),
        ],
    );
}

#[test]
fn unknown_names_are_found_before_a_message_is_sent() {
    broken(
        &PROMETHEUS,
        &[
            ("{{ $label.instance }}", "$label.", "no variable `$label` here; did you mean `$labels`?"),
            ("{{ $value | humanizeNoSmallPrefix }}", "humanizeNo", "no function `humanizeNoSmallPrefix`"),
            ("{{ humanise $value }}", "humanise", "did you mean `humanize`?"),
            ("{{ .Lables.a }}", ".Lables", "no `.Lables` here; did you mean `Labels`?"),
            ("{{ .Alerts }}", ".Alerts", "templates of alerting rules have no `.Alerts`"),
            ("{{ $.Labls }}", ".Labls", "did you mean `Labels`?"),
            ("{{ if gt $value 80 }}{{ end }}", "80", "write `80.0`"),
            ("{{ if $value | lt 5 }}{{ end }}", "5 }}", "write `5.0`"),
            ("{{ if ge .Value 1 }}{{ end }}", "1 }}", "write `1.0`"),
            ("{{ template \"slack.default.title\" . }}", "\"slack", "there is no template"),
            ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "$x }}", "there is no variable `$x`"),
            ("{{ $x = 1 }}", "$x", "there is no variable `$x`"),
        ],
    );
    broken(
        &ALERTMANAGER,
        &[
            ("{{ $labels.alertname }}", "$labels", "there is no variable `$labels`"),
            ("{{ .Annotations.summary }}", ".Annotations", "write `{{ range .Alerts }}` around it"),
            ("{{ range .Alerts }}{{ .CommonLabels.a }}{{ end }}", ".CommonLabels", "no `.CommonLabels` here"),
            ("{{ .CommonLabel.a }}", ".CommonLabel", "did you mean `CommonLabels`?"),
            ("{{ $value }}", "$value", "there is no variable"),
            (
                "{{ .Status | humanize }}",
                "humanize",
                "templates of messages of Alertmanager have no function `humanize`",
            ),
            ("{{ template \"mine\" . }}", "\"mine\"", "there is no template `mine`"),
        ],
    );
}

#[test]
fn the_possible_texts_of_a_template_are_found() {
    let of = |template: &str| words(template).map(|words| words.into_iter().collect::<Vec<_>>().join(" "));
    for (template, expected) in [
        ("critical", Some("critical")),
        ("{{ if gt $value 0.95 }}critical{{ else }}warning{{ end }}", Some("critical warning")),
        ("{{- if $labels.x -}} critical {{- end -}}", Some("critical")),
        ("{{ if $labels.x }}{{ \"page\" }}{{ end }}", Some("page")),
        ("{{ $v := 3 }}{{/* why */}}info", Some("info")),
        ("{{ $labels.severity }}", None),
        ("sev-{{ $value }}", None),
        ("{{ if", None),
    ] {
        assert_eq!(of(template).as_deref(), expected, "{template}");
    }
}
