//! What the templates of Prometheus and of Alertmanager know: functions, variables, and the data that they are filled with.

/// Whose templates they are.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Whose, in words.
    pub(super) whose: &'static str,
    /// Its functions beside those of Go.
    pub(super) functions: &'static [&'static str],
    /// Variables that are there from the beginning.
    pub(super) variables: &'static [&'static str],
    /// What `.` has at the beginning.
    pub(super) fields: &'static [&'static str],
    /// The field that is a list of alerts, and what each of them has.
    pub(super) list: Option<(&'static str, &'static [&'static str])>,
    /// Parts of the names of templates that come with the program.
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

/// Messages (`template/template.go` of Alertmanager).
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
