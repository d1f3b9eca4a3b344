"""Handset as the demo knows it: a command that is started, and HTTP that it answers. Nothing of it is imported."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from overture.cli import telling

ACCOUNT_SID: Final = "AC00000000000000000000000000000001"
AUTH_TOKEN: Final = "handset-auth-token"  # noqa: S105 - known to everybody, opens nothing but the stand-in

_START_SECONDS: Final = 20.0  # it takes a third of one; a machine that is busy is no reason to give up
_STOP_SECONDS: Final = 5.0
_ANNOUNCED: Final = "Handset listens on "


class Handset:
    """A running Handset: its phones' page is at `base_url`."""

    def __init__(self, base_url: str, process: Process, session: aiohttp.ClientSession) -> None:
        self.base_url: Final = base_url
        self._process: Final = process
        self._session: Final = session

    async def types(self, phone: str, to: str, body: str) -> None:
        """Type a message on a phone."""
        await self._ask("POST", "/handset/v1/inbound", {"from": phone, "to": to, "body": body})

    async def messages(self, phone: str) -> list[dict[str, Any]]:
        """The messages to and from a phone, oldest first."""
        return list((await self._ask("GET", f"/handset/v1/messages?address={quote(phone)}"))["messages"])

    async def phones(self) -> dict[str, dict[str, Any]]:
        """Every phone by its address, with whom it stopped and until when its windows are open."""
        return {phone["address"]: phone for phone in (await self._ask("GET", "/handset/v1/phones"))["phones"]}

    async def lifts_block(self, phone: str, sender: str) -> None:
        """Let a sender write to a phone that had stopped it."""
        await self._ask("POST", "/handset/v1/opt-ins", {"from": phone, "to": sender})

    async def ended(self) -> int:
        """Wait until the process ends, which only a fault makes it do; its exit status."""
        return await self._process.wait()

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        try:
            async with self._session.request(method, self.base_url + path, json=body) as response:
                answer: dict[str, Any] = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            telling.stop(f"Handset does not answer at {self.base_url}: {type(error).__name__}.")
        if response.status >= 400:
            telling.stop(f"Handset refused {method} {path}: {answer.get('error')}", hint=answer.get("hint"))
        return answer


@contextlib.asynccontextmanager
async def running(folder: Path, port: int, config: Mapping[str, Any]) -> AsyncIterator[Handset]:
    """A Handset of this configuration, which keeps what happens in the folder; it ends with the block."""
    file = _write(config, folder)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "handset", "--port", str(port), "--config", str(file), "--data", str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the demo, which stops Handset last
    )
    try:
        base_url = await _announced(process, port)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            complaints = asyncio.get_running_loop().create_task(_pass_on(process))
            try:
                yield Handset(base_url, process, session)
            finally:
                complaints.cancel()
    finally:
        await _stop(process)


def _write(config: Mapping[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "handset.json"
    file.write_text(json.dumps(config, indent=2) + "\n")
    return file


async def _announced(process: Process, port: int) -> str:
    """The address that a starting Handset prints."""
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            line = (await process.stdout.readline()).decode().strip()
            if line.startswith(_ANNOUNCED):
                return line.removeprefix(_ANNOUNCED)
            said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
    except TimeoutError:
        telling.stop(f"Handset did not start within {_START_SECONDS:.0f} seconds.")
    why = said[-1].removeprefix("handset: ").partition(";")[0] if said else "it ended without a word"
    is_taken = "cannot listen" in why
    hint = f"Choose another --handset-port than {port} (make demo HANDSET_PORT=9001), 0 for any that is free."
    raise telling.Stop(f"Handset could not start: {why}.", hint=hint if is_taken else None)


async def _pass_on(process: Process) -> None:
    """Show what Handset complains about: its pipe would fill up otherwise, and its reader wonder."""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        sys.stderr.write(f"handset: {line.decode(errors='replace')}")


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
