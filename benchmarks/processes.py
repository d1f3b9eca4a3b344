"""Processes of the benchmark: started and ended here, and what the kernel says they used (proc(5))."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from benchmarks.served import Ready, Wanted

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_END_SECONDS: Final = 30


class Served(Struct, frozen=True, kw_only=True):
    """A server that runs."""

    pid: int
    port: int
    key: str


@contextmanager
def serving(wanted: Wanted) -> Iterator[Served]:
    """A server in a process of its own, from the moment it takes connections."""
    command = [sys.executable, "-m", "benchmarks.served", msgspec.json.encode(wanted).decode()]
    with started(command) as (process, line):
        ready = msgspec.json.decode(line, type=Ready)
        yield Served(pid=process.pid, port=ready.port, key=ready.key)


@contextmanager
def started(command: Sequence[str]) -> Iterator[tuple["subprocess.Popen[bytes]", bytes]]:
    """A process, from its first line of output until the block ends."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("a process did not start; its reason stands above")
        yield process, line
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    """The processor time of a process and of the children it has waited for."""
    fields = _stat(pid)
    return sum(int(field) for field in fields[11:15]) * _TICK


def family_cpu_seconds(pid: int) -> float:
    """As `cpu_seconds`, with the children that run: what PostgreSQL uses, given its first process."""
    return cpu_seconds(pid) + sum(cpu_seconds(child) for child in children(pid))


def children(pid: int) -> list[int]:
    """The processes whose parent is this one."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and int(_stat(int(folder.name))[1]) == pid:
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    return found


def resident_mebibytes(pid: int) -> float:
    """The memory of a process that is in RAM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold spaces: the first is the state."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
