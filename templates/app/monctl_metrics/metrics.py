"""Asks for the metrics of the project's own django-prometheus as Prometheus will.

Prometheus names an address of this host, asks over HTTP and has no login. An
application that refuses that would be up for its users and down for the alerts.
"""

import http.client
import subprocess
import urllib.parse

from .application import Refused

# Part of every family of django-prometheus.
_MARK = b"django_http_"
_TIMEOUT = 10


def ask(url, path):
    """Refuses the application where no address of this host gets its metrics."""
    place = urllib.parse.urlsplit(url)
    reasons = []
    for address in _addresses() or [place.hostname]:
        host = f"[{address}]" if ":" in address else address
        reason = _why_not(place, path, f"{host}:{place.port or 80}")
        if reason is None:
            return
        reasons.append(f"{reason} (asked as {address})")
    raise Refused(f"Prometheus would get no metrics: {reasons[0]}")


def _addresses():
    """The addresses by which others reach this host."""
    try:
        answer = subprocess.run(["hostname", "-I"], capture_output=True, text=True, timeout=_TIMEOUT)
    except (OSError, subprocess.SubprocessError):
        # Without them the service's own address has to do.
        return []
    return answer.stdout.split()


def _why_not(place, path, host):
    connection = http.client.HTTPConnection(place.hostname, place.port or 80, timeout=_TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        return f"GET {path} is not answered: {error or type(error).__name__}"
    finally:
        connection.close()
    return _judge(path, response.status, response.getheader("Location", ""), body)


def _judge(path, status, location, body):
    if status == 200:
        if _MARK in body:
            return None
        return f"GET {path} does not look like django-prometheus: write its path as app.metrics_path"
    if status == 400:
        return f"GET {path} is answered with 400: ALLOWED_HOSTS needs the address that Prometheus asks"
    if status in (301, 302, 303, 307, 308):
        return f"GET {path} is redirected to {location}: exempt it from SECURE_SSL_REDIRECT or from the login"
    if status == 404:
        return f"GET {path} is answered with 404: write its path as app.metrics_path, or use `metrics: exporter`"
    return f"GET {path} is answered with {status}"
