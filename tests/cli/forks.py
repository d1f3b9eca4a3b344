"""Commands without their start: a process that has read the program once, and gives each command a copy of itself.

A command lives as it does when a shell starts it: a process of its own, with its folder, environment and outputs. Only
the second that Python takes to read the program is spent once for all of them.
"""

import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct


class Wanted(Struct, frozen=True, kw_only=True):
    """A command to run: its arguments, folder and environment, and where its outputs go."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    seconds: int
    out: str
    err: str


_read: Final = msgspec.json.Decoder(Wanted).decode


class Forks:
    """The process that commands are copies of, started when the first is wanted."""

    def __init__(self) -> None:
        self._one_at_a_time: Final = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """A command run to its end; one that takes too long is ended by SIGALRM, with its status."""
        with tempfile.TemporaryDirectory() as place, self._one_at_a_time:
            out, err = Path(place, "out"), Path(place, "err")
            wanted = Wanted(
                arguments=list(arguments),
                folder=str(folder),
                environment=dict(environment),
                seconds=int(seconds),
                out=str(out),
                err=str(err),
            )
            status = self._ask(msgspec.json.encode(wanted), environment)
            return subprocess.CompletedProcess(list(arguments), status, out.read_text(), err.read_text())

    def _ask(self, wanted: bytes, environment: Mapping[str, str]) -> int:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.forks"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(wanted + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the process; its commands are done."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


def _become(wanted: Wanted) -> None:
    """Be the command: never returns."""
    status = 1
    try:
        for number, path in ((1, wanted.out), (2, wanted.err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(wanted.folder)
        os.environ.clear()
        os.environ.update(wanted.environment)
        signal.alarm(wanted.seconds)
        sys.argv = ["overture", *wanted.arguments]
        importlib.import_module("overture.cli.main").main()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def serve() -> None:
    """Run the commands that are wanted, one after the other, until nobody can want any more."""
    package = importlib.import_module("overture.cli")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "__main__":
            importlib.import_module(f"overture.cli.{module.name}")
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            answers.close()
            _become(_read(line))
        _, status = os.waitpid(pid, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


if __name__ == "__main__":
    serve()
