"""When the double ends: with its standard input, or on a signal."""

import os
import select
import signal
import sys


class Ending:
    def __init__(self):
        """From here on no signal ends the process by itself. Which thread it finds does not matter."""
        self._signalled, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: None)

    def wait(self):
        while True:
            ready, _, _ = select.select([self._signalled, sys.stdin], [], [])
            if self._signalled in ready or not os.read(sys.stdin.fileno(), 4096):
                return
