"""The command line as a person uses it: started as a process, read from its output, ended with Ctrl-C."""

import atexit
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.cli.forks import Forks

SECONDS: Final = 40.0
_forks: Final = Forks()
atexit.register(_forks.close)
KEY: Final = re.compile(r"ovt_live_[0-9A-Za-z]{10}_[0-9A-Za-z]{49}")


def environment(**given: str) -> dict[str, str]:
    """This process's environment without settings of its owner."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OVERTURE_", "PYTEST_"))}
    return {**inherited, "PYTHONUNBUFFERED": "1", "COLUMNS": "200", "NO_COLOR": "1", **given}


def overture(folder: Path, *arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command run to its end in a folder, with these settings in its environment."""
    return _forks.run([str(argument) for argument in arguments], folder, environment(**settings), SECONDS)


class Running:
    """A command that goes on."""

    def __init__(self, folder: Path, arguments: Sequence[str], settings: dict[str, str]) -> None:
        self.process: Final = subprocess.Popen(
            [sys.executable, "-m", "overture.cli", *arguments],
            cwd=folder,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: Final[list[str]] = []
        self._news: Final = threading.Condition()
        self._reader: Final = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def said(self) -> str:
        """Everything it has written so far, to either output."""
        with self._news:
            return "".join(self._lines)

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until it has written what the pattern matches."""
        found: list[re.Match[str]] = []

        def is_there() -> bool:
            match = re.search(pattern, "".join(self._lines))
            found.extend([match] if match else [])
            return bool(found) or not self._reader.is_alive()

        with self._news:
            self._news.wait_for(is_there, SECONDS)
        assert found, f"never said {pattern!r}, but:\n{self.said}"
        return found[0]

    def ends(self) -> int:
        """Wait until it ends; its exit status."""
        status = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def interrupt(self) -> int:
        """Press Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.ends()

    def children(self) -> list[int]:
        """The processes it has started."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


@contextlib.contextmanager
def running(folder: Path, *arguments: str | Path, **settings: str) -> Iterator[Running]:
    """A command that goes on until the block ends."""
    started = Running(folder, [str(argument) for argument in arguments], settings)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGTERM)
        try:
            started.ends()
        except subprocess.TimeoutExpired:
            started.process.kill()
            started.ends()


def is_free(port: int) -> bool:
    """Whether nobody listens on a port any more."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
