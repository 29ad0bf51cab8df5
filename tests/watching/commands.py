"""The program in a process of its own, and the address that it prints."""

import os
import signal
import subprocess
import sys


class Command:
    """A command of clearprop that serves a page; has its `url`."""

    def __init__(self, *arguments, state):
        environment = {
            k: v for k, v in os.environ.items() if k not in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clearprop", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment | {"XDG_STATE_HOME": str(state), "BROWSER": ""},
        )  # fmt: skip
        self.said = ""
        for line in self.process.stderr:
            self.said += line
            if line.startswith("watch it at "):
                self.url = line.split()[3]
                return
        raise AssertionError(self.said)

    def end(self, number=signal.SIGINT):
        """Send a signal; return the exit code, and what was printed on both."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, self.said + err
