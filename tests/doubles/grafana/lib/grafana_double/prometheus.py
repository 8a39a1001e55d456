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
    """GET, or POST of a form: status, content type and text; raises URLError when nobody answers."""
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


def written(duration):
    """Seconds as PromQL takes them, whole units only."""
    return f"{int(duration)}s" if duration == int(duration) else f"{int(duration * 1000)}ms"


def fill_in(expression, step, interval, length):
    """The variables that the server knows; a dashboard's own stay as they are."""
    values = {
        "__rate_interval": written(max(step + interval, 4 * interval)),
        "__interval_ms": str(int(step * 1000)),
        "__interval": written(step),
        "__range_s": str(int(length)),
        "__range": written(int(length)),
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
                "executedQueryString": f"Expr: {expression}\nStep: {written(step)}",
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
    """Prometheus refuses the expression, or does not answer: the status and what is said of it."""

    def __init__(self, status, text):
        super().__init__(status, text)
        self.status, self.text = status, text


def run(row, query, start, end):
    """The frames of one query; raises Failed where Prometheus refuses its expression."""
    interval = seconds(json.loads(row["json_data"]).get("timeInterval")) or DEFAULT_INTERVAL
    least = seconds(query.get("interval"))
    step = (least or max((query.get("intervalMs") or 0) / 1000, interval)) * (query.get("intervalFactor") or 1)
    expression = fill_in(query.get("expr") or "", step, least or interval, end - start)
    if end <= 0 or not expression:
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
        found = json.loads(text)["data"]
        kind, result = found["resultType"], found["result"]
        if kind == "scalar":
            kind, result = "vector", [{"metric": {}, "value": result}]
        frames += [frame(series, kind, query, expression, step) for series in result]
    return frames


def no_series(query):
    """The frame with which released versions answer where there is no series."""
    executed = f"Expr: {query.get('expr') or ''}"
    return {"schema": {"refId": query["refId"], "meta": {"executedQueryString": executed}, "fields": []}, "data": {"values": []}}


def result(row, query, start, end, release):
    """One query's part of the answer. To the recorded version an error looks like no data; later ones tell it."""
    try:
        frames = run(row, query, start, end)
    except Failed as failed:
        if release < 10:
            return {"status": 200, "frames": []}
        return {
            "error": failed.text, "errorSource": "downstream", "status": failed.status, "frames": [no_series(query)],
        }
    return {"status": 200, "frames": frames or ([no_series(query)] if release >= 10 else [])}


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
