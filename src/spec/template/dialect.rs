//! The template dialects of Prometheus and of Alertmanager: functions, variables and data.

/// A dialect of templates.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Its owner, in words.
    pub(super) whose: &'static str,
    /// Its functions, besides those of Go.
    pub(super) functions: &'static [&'static str],
    /// Predefined variables.
    pub(super) variables: &'static [&'static str],
    /// The fields of `.` at the top level.
    pub(super) fields: &'static [&'static str],
    /// The field with the list of alerts, and the fields of each alert.
    pub(super) list: Option<(&'static str, &'static [&'static str])>,
    /// Parts of the names of predefined templates.
    pub(super) named: &'static [&'static str],
}

/// Functions of every Go template.
pub(super) const OF_GO: [&str; 18] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print",
    "printf", "println", "slice",
];

/// Annotations and labels of rules (`template/template.go` and `rules/alerting.go` of Prometheus).
pub(crate) static PROMETHEUS: Dialect = Dialect {
    whose: "alerting rules",
    functions: &[
        "urlquery",
        "query",
        "first",
        "label",
        "value",
        "strvalue",
        "args",
        "reReplaceAll",
        "safeHtml",
        "match",
        "title",
        "toUpper",
        "toLower",
        "graphLink",
        "tableLink",
        "sortByLabel",
        "stripPort",
        "stripDomain",
        "humanize",
        "humanize1024",
        "humanizeDuration",
        "humanizePercentage",
        "humanizeTimestamp",
        "toTime",
        "toDuration",
        "now",
        "pathPrefix",
        "externalURL",
        "parseDuration",
        "tmpl",
        "urlQueryEscape",
    ],
    variables: &["$", "$labels", "$externalLabels", "$externalURL", "$value"],
    fields: &["Labels", "ExternalLabels", "ExternalURL", "Value"],
    list: None,
    named: &[],
};

/// Notifications (`template/template.go` of Alertmanager).
pub(crate) static ALERTMANAGER: Dialect = Dialect {
    whose: "messages of Alertmanager",
    functions: &[
        "urlquery",
        "toUpper",
        "toLower",
        "title",
        "trimSpace",
        "join",
        "match",
        "safeHtml",
        "safeUrl",
        "urlUnescape",
        "reReplaceAll",
        "stringSlice",
        "routeLabels",
        "date",
        "tz",
        "now",
        "toDate",
        "mustToDate",
        "since",
        "humanizeDuration",
        "toJson",
        "list",
        "append",
        "dict",
    ],
    variables: &["$"],
    fields: &[
        "Receiver",
        "Status",
        "Alerts",
        "GroupLabels",
        "CommonLabels",
        "CommonAnnotations",
        "ExternalURL",
        "NotificationReason",
        "RouteLabels",
    ],
    list: Some((
        "Alerts",
        &["Status", "Labels", "Annotations", "StartsAt", "EndsAt", "GeneratorURL", "Fingerprint"],
    )),
    named: &[".default.", "__"],
};
