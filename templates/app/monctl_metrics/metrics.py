"""Requests the metrics of the project's own django-prometheus as Prometheus does.

Prometheus uses an address of this host and HTTP, without a login. An application
that refuses such a request would be up for its users and down for the alerts.
"""

import http.client
import subprocess
import urllib.parse

from .application import Refused

# Part of every family of django-prometheus.
_MARK = b"django_http_"
_TIMEOUT = 10


def verify(url, path):
    """Refuses the application unless some address of this host returns its metrics."""
    place = urllib.parse.urlsplit(url)
    reasons = []
    for address in _addresses() or [place.hostname]:
        host = f"[{address}]" if ":" in address else address
        reason = _why_not(place, path, f"{host}:{place.port or 80}")
        if reason is None:
            return
        reasons.append(f"{reason} (requested as {address})")
    raise Refused(f"Prometheus could not scrape the application: {reasons[0]}; or count from outside with `app.metrics: exporter`")


def _addresses():
    """The addresses at which other hosts reach this one."""
    try:
        answer = subprocess.run(["hostname", "-I"], capture_output=True, text=True, timeout=_TIMEOUT)
    except (OSError, subprocess.SubprocessError):
        # Fall back to the service's own address.
        return []
    return answer.stdout.split()


def _why_not(place, path, host):
    connection = http.client.HTTPConnection(place.hostname, place.port or 80, timeout=_TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        return f"GET {path} got no answer: {error or type(error).__name__}"
    finally:
        connection.close()
    return _judge(path, response.status, response.getheader("Location", ""), body)


def _judge(path, status, location, body):
    if status == 200:
        if _MARK in body:
            return None
        return f"GET {path} does not look like django-prometheus: set its path as app.metrics_path"
    if status == 400:
        return f"GET {path} returns 400: ALLOWED_HOSTS needs the address that Prometheus scrapes"
    if status in (301, 302, 303, 307, 308):
        return f"GET {path} is redirected to {location}: exempt it from SECURE_SSL_REDIRECT or from the login"
    if status == 404:
        return f"GET {path} returns 404: set its path as app.metrics_path"
    return f"GET {path} returns {status}"
