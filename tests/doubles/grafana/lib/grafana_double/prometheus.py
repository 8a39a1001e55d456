"""Asks the real Prometheus behind a data source, and puts its answers into the frames of `/api/ds/query`."""

import json
import math
import re
import time
import urllib.error
import urllib.parse
import urllib.request

from .web import Answer, refuse, route

DEFAULT_INTERVAL = 15
TIMEOUT = 30
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def fetch(base, path, query="", form=None):
    """GET, or POST of a form: status, content type and text; raises URLError without a response."""
    if "://" not in base:
        base = f"http://{base}"
    url = base.rstrip("/") + path + (f"?{query}" if query else "")
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, form, headers), timeout=TIMEOUT) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Content-Type", ""), error.read().decode()


def seconds(text):
    """A duration such as `5s`; None for anything else."""
    match = re.fullmatch(r"(\d+)(ms|s|m|h|d|w)", text or "")
    return int(match[1]) * UNITS[match[2]] if match else None


def moment(text, at):
    """`now`, `now-2m`, `now-1h-1d` or milliseconds as a string, in seconds; 0 where there is none."""
    if not text:
        return 0
    if text.startswith("now"):
        return at - sum(seconds(part) or 0 for part in text.split("-")[1:])
    return int(text) / 1000


# The lengths to which the server rounds a step, and up to which length each is taken; in seconds.
STEPS = [
    (0.01, 0.001), (0.015, 0.01), (0.035, 0.02), (0.075, 0.05), (0.15, 0.1), (0.35, 0.2), (0.75, 0.5), (1.5, 1), (3.5, 2),
    (7.5, 5), (12.5, 10), (17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300), (750, 600), (1050, 900),
    (1500, 1200), (2700, 1800), (5400, 3600), (9000, 7200), (16200, 10800), (32400, 21600), (86400, 43200),
    (604800, 86400), (1814400, 604800), (3628800, 2592000),
]
# More points Prometheus does not give.
MOST_POINTS = 11_000
DEFAULT_POINTS = 100


def rounded(seconds_):
    return next((step for bound, step in STEPS if seconds_ <= bound), 31_536_000)


def in_go(duration):
    """Seconds as Go writes a duration: `1m31.4s`, `1h0m5s`. PromQL takes no fraction."""
    millis = round(duration * 1000)
    if millis < 1000:
        return f"{millis}ms"
    minutes, rest = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds_ = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + seconds_


def in_units(duration):
    """Seconds as `$__interval` is written: one unit, rounded down."""
    for unit, length in (("y", 31_536_000), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if duration >= length:
            return f"{int(duration // length)}{unit}"
    return f"{round(duration * 1000)}ms"


RATE_INTERVAL = ("$__rate_interval", "${__rate_interval}")
OWN_INTERVALS = (*RATE_INTERVAL, "$__interval", "${__interval}", "$__interval_ms", "${__interval_ms}")


def steps(query, scrape, length, release):
    """The step of a query and what `$__rate_interval` is. 12 derives the latter from the requested interval, 9 rounds first."""
    requested, wanted = (query.get("intervalMs") or 0) / 1000, query.get("interval") or ""
    least = seconds(wanted) if wanted not in OWN_INTERVALS else None
    least = least or requested or scrape
    step = length / (query.get("maxDataPoints") or DEFAULT_POINTS)
    step = least if step < least else rounded(step)
    step = max(step, rounded(length / MOST_POINTS))
    if wanted in RATE_INTERVAL:
        step = max(step + scrape, 4 * scrape)
        return step, step
    own = seconds(wanted) if release >= 12 and wanted not in OWN_INTERVALS else None
    base = own or scrape
    rate = max((requested if release >= 12 else step) + base, 4 * base)
    return step * (query.get("intervalFactor") or 1), rate


def fill_in(expression, step, rate, length):
    """The variables that the server knows; a dashboard's own stay as they are."""
    values = {
        "__rate_interval": in_go(rate),
        "__interval_ms": str(int(step * 1000)),
        "__interval": in_units(step),
        "__range_ms": str(round(length * 1000)),
        "__range_s": str(round(length)),
        "__range": f"{round(length)}s",
    }
    for name, value in values.items():
        expression = expression.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return expression


def named(labels, expression):
    """A series as it is called: its labels, or the expression where it has none."""
    rest = ", ".join(f'{key}="{labels[key]}"' for key in sorted(labels) if key != "__name__")
    name = labels.get("__name__", "")
    return f"{name}{{{rest}}}" if rest else name or expression


def frame(series, kind, query, expression, step):
    labels = series["metric"]
    points = series["values"] if kind == "matrix" else [series["value"]]
    values = [float(value) for _, value in points]
    name = named(labels, expression)
    odd = {
        label: found
        for label, test in (("NaN", math.isnan), ("Inf", lambda v: v == math.inf), ("NegInf", lambda v: v == -math.inf))
        if (found := [index for index, value in enumerate(values) if test(value)])
    }
    data = {"values": [
        [int(float(at) * 1000) for at, _ in points],
        [None if not math.isfinite(value) else int(value) if value == int(value) else value for value in values],
    ]}
    if odd:
        data["entities"] = [None, odd]
    return {
        "schema": {
            "name": name, "refId": query["refId"],
            "meta": {
                "type": "timeseries-multi", "custom": {"resultType": kind},
                "executedQueryString": f"Expr: {expression}\nStep: {in_go(step)}",
            },
            "fields": [
                {"name": "Time", "type": "time", "typeInfo": {"frame": "time.Time"}, "config": {"interval": int(step * 1000)}},
                {"name": "Value", "type": "number", "typeInfo": {"frame": "float64"}, "labels": labels,
                 "config": {"displayNameFromDS": name}},
            ],
        },
        "data": data,
    }


def data_source(store, query):
    uid = (query.get("datasource") or {}).get("uid")
    if uid:
        return store.one("SELECT * FROM data_source WHERE uid=?", uid)
    return store.one("SELECT * FROM data_source WHERE id=?", query.get("datasourceId"))


class Failed(Exception):
    """Prometheus refuses the expression, or does not answer: the status and the message."""

    def __init__(self, status, text):
        super().__init__(status, text)
        self.status, self.text = status, text


def filled(row, query, length, release):
    """The expression of a query with the server's variables filled in, and its step."""
    scrape = seconds(json.loads(row["json_data"]).get("timeInterval")) or DEFAULT_INTERVAL
    step, rate = steps(query, scrape, length, release)
    return fill_in(query.get("expr") or "", step, rate, length), step


def run(row, query, expression, step, start, end, release):
    """The frames of one query; raises Failed where Prometheus refuses its expression."""
    if end <= 0 or (not expression and release < 12):
        return []
    frames = []
    for wanted, path, times in (
        (query.get("range"), "query_range", {"start": math.floor(start / step) * step, "end": end, "step": step}),
        (query.get("instant") or not query.get("range"), "query", {"time": end}),
    ):
        if not wanted:
            continue
        form = urllib.parse.urlencode({"query": expression, **times}).encode()
        status, _, text = fetch(row["url"], f"/api/v1/{path}", form=form)
        if status >= 400:
            refused = json.loads(text)
            raise Failed(status, f"{refused['errorType']}: {refused['error']}")
        answer = json.loads(text)
        found, remarks = answer["data"], notices(answer) if release >= 10 else []
        kind, result = found["resultType"], found["result"]
        if kind == "scalar":
            kind, result = "vector", [{"metric": {}, "value": result}]
        made = [frame(series, kind, query, expression, step) for series in result]
        for one in made if remarks else []:
            one["schema"]["meta"]["notices"] = remarks
        frames += made
    return frames


def notices(answer):
    """What Prometheus remarks beside the data, as later releases pass it on."""
    kinds = (("warnings", "warning"), ("infos", "info"))
    return [{"severity": severity, "text": text} for key, severity in kinds for text in answer.get(key) or []]


def no_series(query, expression, step):
    """The frame with which released versions answer where there is no series."""
    executed = f"Expr: {expression}\nStep: {in_go(step)}"
    return {"schema": {"refId": query["refId"], "meta": {"executedQueryString": executed}, "fields": []}, "data": {"values": []}}


def result(row, query, start, end, release):
    """One query's part of the answer. In the recorded version an error looks like no data; later ones report it."""
    expression, step = filled(row, query, end - start, release)
    empty = no_series(query, expression, step)
    try:
        frames = run(row, query, expression, step, start, end, release)
    except Failed as failed:
        if release < 10:
            return {"status": 200, "frames": []}
        return {
            "error": failed.text, "errorSource": "downstream", "status": failed.status, "frames": [empty],
        }
    return {"status": 200, "frames": frames or ([empty] if release >= 10 else [])}


@route("POST", "/api/ds/query", own_transaction=True)
def query(request):
    body = request.json()
    queries = body.get("queries")
    if not queries:
        raise refuse(400, "No queries found", messageId="query.noQueries", statusCode=400)
    if not all(isinstance(body.get(key, ""), str) for key in ("from", "to")):
        raise refuse(400, "bad request data")
    at = time.time()
    start, end = moment(body.get("from"), at), moment(body.get("to"), at)
    release, results = request.server.release, {}
    for one in queries:
        with request.store as store:
            row = data_source(store, one)
        if row is None:
            raise refuse(404, "Data source not found")
        try:
            results[one["refId"]] = result(row, one, start, end, release)
        except (urllib.error.URLError, OSError) as error:
            if release >= 10:
                results[one["refId"]] = {"error": f"Post \"{row['url']}\": {error}", "status": 502, "frames": []}
                continue
            text = "An error occurred within the plugin"
            raise refuse(500, text, messageId="plugin.downstreamError", statusCode=500) from error
    failed = any("error" in one for one in results.values())
    return Answer(400, {"results": results}) if failed else {"results": results}
