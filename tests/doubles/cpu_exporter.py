"""A node exporter that shows only what this machine's own load does to its CPUs.

The machines of the local provider show the CPUs of the whole computer, which other tests keep busy. This
stand-in counts a CPU as busy while stress-ng runs on the machine, and as idle otherwise.
"""

import http.server
import pathlib
import threading
import time

PORT = 9100
idle = 5_000.0


def is_loaded() -> bool:
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().startswith("stress-ng"):
                return True
        except OSError:
            continue  # the process ended meanwhile
    return False


def count() -> None:
    global idle
    last = time.monotonic()
    while True:
        time.sleep(0.1)
        now = time.monotonic()
        idle += (now - last) * (0.01 if is_loaded() else 0.98)
        last = now


class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        lines = [f'node_cpu_seconds_total{{cpu="{cpu}",mode="idle"}} {idle}\n' for cpu in range(2)]
        body = "".join(lines).encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


threading.Thread(target=count, daemon=True).start()
http.server.ThreadingHTTPServer(("", PORT), Metrics).serve_forever()
