#!/usr/bin/env python3
"""A mirror of release tarballs for tests: serves the files of a folder, and writes a catalogue that names them.

    mirror.py --folder DIR [--address 127.0.0.1] [--port 0] [--catalogue FILE]

A file is found by the last part of the address, so that `MIRROR/grafana-9.4.0.linux-amd64.tar.gz` and upstream's whole
path below the mirror both work. The catalogue names the folder's tarballs, as `templates/releases.json` does upstream's,
and makes them the default. The first line of output is the base URL.
"""

import argparse
import hashlib
import http.server
import json
import pathlib
import re
import signal
import sys

TARBALL = re.compile(r"(?P<product>[a-z_]+)-(?P<version>[0-9][^/]*?)\.linux-(?P<arch>[a-z0-9]+)\.tar\.gz")


class Mirror(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        """Downloads are not logged; the client reports them."""

    def do_GET(self):
        name = self.path.partition("?")[0].rsplit("/", 1)[-1]
        path = self.server.folder / name
        found = bool(name) and path.is_file()
        content = path.read_bytes() if found else b"not found\n"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/gzip" if found else "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET


def catalogue(folder, base):
    """The folder's tarballs by product and version."""
    found = {"defaults": {}}
    for path in sorted(folder.iterdir()):
        match = TARBALL.fullmatch(path.name)
        if match:
            product, version = match["product"], match["version"]
            url = f"{base}/{product}-{version}.linux-{{arch}}.tar.gz"
            entry = found.setdefault(product, {}).setdefault(version, {"url": url, "sha256": {}})
            entry["sha256"][match["arch"]] = hashlib.sha256(path.read_bytes()).hexdigest()
            found["defaults"][product] = version
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--address", default="127.0.0.1", help="where to listen")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--name", help="the address that clients use, where it is not the one to listen on")
    parser.add_argument("--catalogue", type=pathlib.Path)
    options = parser.parse_args()
    server = http.server.ThreadingHTTPServer((options.address, options.port), Mirror)
    server.daemon_threads = True
    server.folder = options.folder
    base = f"http://{options.name or options.address}:{server.server_port}"
    if options.catalogue:
        options.catalogue.write_text(json.dumps(catalogue(options.folder, base), indent=2) + "\n")
    print(base, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main()
