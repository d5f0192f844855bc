"""A real terminal: a program in a pane of tmux."""

import shlex
import subprocess
import tempfile
import time

POLL_SECONDS = 0.05
TIMEOUT_SECONDS = 60


class Terminal:
    """Runs a command in a pane; with `with`, ends it and its server."""

    def __init__(self, command, environment, columns=110, lines=30):
        self.folder = tempfile.TemporaryDirectory(prefix="tmux")  # a socket's path must be short
        self.socket = f"{self.folder.name}/socket"
        settings = [f"{name}={value}" for name, value in {"LANG": "C.UTF-8", "TZ": "UTC", **environment}.items()]
        line = shlex.join(["env", *settings, *map(str, command)])
        # The status of the command stays on the screen when it has ended.
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines),
                   f"{line}; echo ended with $?; exec cat")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._tmux("kill-server")
        self.folder.cleanup()

    def _tmux(self, *arguments):
        return subprocess.run(["tmux", "-u", "-S", self.socket, *arguments], check=True, capture_output=True,
                              text=True, timeout=TIMEOUT_SECONDS).stdout

    def screen(self):
        return self._tmux("capture-pane", "-p")

    def press(self, *keys):
        """Keys as tmux names them: `q`, `Tab`, `C-c`, or text."""
        self._tmux("send-keys", *keys)

    def await_screen(self, is_right, what):
        """Waits until `is_right` of the screen's text, and returns it."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not is_right(screen := self.screen()):
            assert time.monotonic() < deadline, f"the screen does not show {what}:\n{screen}"
            time.sleep(POLL_SECONDS)
        return screen

    def await_text(self, text):
        return self.await_screen(lambda screen: text in screen, text)
