"""Names, labels and buckets: those of django-prometheus, so that dashboards
made for it work. Shared by `recorder`, which writes, and `exporter`, which reads.
"""

# One stored counter with all labels of a response. The exporter derives the
# public counters from it, so that a request costs one increment instead of
# django-prometheus' ten.
RESPONSES = "monctl_responses"
RESPONSE_LABELS = ("status", "view", "method", "transport", "charset", "streaming", "ajax")

# Public counter -> the labels that are kept of the stored one.
COUNTERS = {
    "django_http_requests_before_middlewares": (),
    "django_http_responses_before_middlewares": (),
    "django_http_requests_total_by_method": ("method",),
    "django_http_requests_total_by_transport": ("transport",),
    "django_http_requests_total_by_view_transport_method": ("view", "transport", "method"),
    "django_http_responses_total_by_status": ("status",),
    "django_http_responses_total_by_status_view_method": ("status", "view", "method"),
    "django_http_responses_total_by_charset": ("charset",),
}

# Public counter -> the stored label that marks its responses.
FLAGGED = {
    "django_http_responses_streaming": "streaming",
    "django_http_ajax_requests": "ajax",
}

# Counters that are stored under their public name, with their one label.
TEMPLATES = ("django_http_responses_total_by_templatename", "templatename")
EXCEPTIONS_BY_TYPE = ("django_http_exceptions_total_by_type", "type")
EXCEPTIONS_BY_VIEW = ("django_http_exceptions_total_by_view", "view")

LATENCY = "django_http_requests_latency_seconds_by_view_method"
LATENCY_LABELS = ("view", "method")
LATENCY_IN_ALL = "django_http_requests_latency_including_middlewares_seconds"
REQUEST_BYTES = "django_http_requests_body_total_bytes"
RESPONSE_BYTES = "django_http_responses_body_total_bytes"

ERRORS = "monctl_instrumentation_errors"

# The state of workers: gauges that end with their process, and one counter.
WORKERS = "monctl_workers"
SLOTS = "monctl_request_slots"
IN_PROGRESS = "monctl_requests_in_progress"
REPLACEMENTS = "monctl_worker_replacements"
STARTED = "monctl_app_start_time_seconds"
MIGRATION_LABELS = ("connection",)
UNAPPLIED = "django_migrations_unapplied_total"
APPLIED = "django_migrations_applied_total"

INFINITY = float("inf")
SECONDS = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75,
    1.0, 2.5, 5.0, 7.5, 10.0, 25.0, 50.0, 75.0, INFINITY,
)  # fmt: skip
BYTES = (0.0, *(float(2**power) for power in range(30)), INFINITY)

KNOWN_METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH")
)
OTHER_METHOD = "OTHER"
UNNAMED_VIEW = "<unnamed view>"

HELP = {
    "django_http_requests_before_middlewares": "Requests that Django answered.",
    "django_http_responses_before_middlewares": "Responses that Django sent.",
    "django_http_requests_total_by_method": "Requests per method.",
    "django_http_requests_total_by_transport": "Requests per transport, http or https.",
    "django_http_requests_total_by_view_transport_method": "Requests per view, transport and method.",
    "django_http_responses_total_by_status": "Responses per status, as sent.",
    "django_http_responses_total_by_status_view_method": "Responses per status, view and method.",
    "django_http_responses_total_by_charset": "Responses per character set.",
    "django_http_responses_streaming": "Responses that were streamed.",
    "django_http_ajax_requests": "Requests that a script in a page made.",
    "django_http_responses_total_by_templatename": "Template responses per template.",
    "django_http_exceptions_total_by_type": "Exceptions that left a view, per type.",
    "django_http_exceptions_total_by_view": "Exceptions that left a view, per view.",
    LATENCY: "Seconds from request to response, middlewares included, per view and method.",
    LATENCY_IN_ALL: "Seconds from request to response, middlewares included.",
    REQUEST_BYTES: "Sizes of request bodies, as announced.",
    RESPONSE_BYTES: "Sizes of response bodies that were not streamed.",
    WORKERS: "Workers that have loaded the application and run.",
    SLOTS: "Requests that the workers can serve at the same time.",
    IN_PROGRESS: "Requests that are being served.",
    REPLACEMENTS: "Workers that were started because another one had ended.",
    STARTED: "When the service was started, in seconds since 1970.",
    UNAPPLIED: "Migrations of the code that are not applied to the database.",
    APPLIED: "Migrations that are applied to the database.",
    ERRORS: "Requests that could not be counted because of an error in the instrumentation.",
}
