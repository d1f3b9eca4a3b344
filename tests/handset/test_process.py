"""Handset as a program: its command line, its end, and what survives it."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from handset.config import DEFAULT_ACCOUNT_SID, DEFAULT_AUTH_TOKEN
from handset.testing import Answer, Receiver
from tests.handset.conftest import ADA, GRACE, SMS, WHATSAPP, config_for

Process = asyncio.subprocess.Process


async def run(*arguments: str) -> Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "handset", *arguments, stdout=pipe, stderr=pipe)


@contextlib.asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[tuple[Process, str]]:
    """The program, listening on a port of its choice, and its address."""
    process = await run("--port", "0", *arguments)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("Handset listens on http://127.0.0.1:"), line
        yield process, line.split()[-1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ask(http: aiohttp.ClientSession, method: str, url: str, **given: Any) -> Any:
    async with http.request(method, url, **given) as response:
        assert response.status < 400, await response.text()
        return await response.json()


async def until(http: aiohttp.ClientSession, url: str, name: str, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until it holds of every row."""
    async with asyncio.timeout(10):
        while not all(holds(row) for row in (await ask(http, "GET", url))[name]):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def config_file(folder: Path, **config: Any) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return str(path)


async def test_it_survives_being_killed(tmp_path: Path, receiver: Receiver, http: aiohttp.ClientSession) -> None:
    config = config_file(tmp_path, **config_for(receiver, delays={"sent": 0.05, "delivered": 60.0, "read": None}))
    arguments = ("--config", config, "--data", str(tmp_path / "data"))
    auth = {"Authorization": aiohttp.encode_basic_auth(DEFAULT_ACCOUNT_SID, DEFAULT_AUTH_TOKEN)}
    send = f"/2010-04-01/Accounts/{DEFAULT_ACCOUNT_SID}/Messages.json"
    receiver.answers("/inbound", Answer(after=asyncio.Event()), Answer(after=asyncio.Event()), Answer())
    async with started(*arguments) as (process, url):
        await ask(http, "POST", f"{url}/handset/v1/inbound", json={"from": GRACE, "to": WHATSAPP, "body": "hello"})
        await ask(http, "POST", f"{url}/handset/v1/inbound", json={"from": ADA, "to": SMS, "body": "stop"})
        form = {"To": GRACE, "From": WHATSAPP, "Body": "hi"}
        sid = (await ask(http, "POST", url + send, data=form, headers=auth))["sid"]
        async with asyncio.timeout(10):  # both webhooks are out and unanswered when it dies
            while len(receiver.at("/inbound")) < 2:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
    with (tmp_path / "data" / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"kind":"message","value":{"sid":"SM')  # a death in the middle of a line
    async with started(*arguments) as (_, url):
        messages = (await ask(http, "GET", f"{url}/handset/v1/messages"))["messages"]
        assert [message["body"] for message in messages if not message["auto"]] == ["hello", "stop", "hi"]
        phones = (await ask(http, "GET", f"{url}/handset/v1/phones"))["phones"]
        assert [phone["opted_out_of"] for phone in phones] == [[SMS], []]
        assert [list(phone["window_closes_at"]) for phone in phones] == [[], [WHATSAPP]]
        await until(http, f"{url}/handset/v1/messages", "messages", lambda m: m["sid"] != sid or m["status"] == "sent")
        await until(http, f"{url}/handset/v1/webhooks", "webhooks", lambda webhook: webhook["finished"])
    tokens = [(r.params["Body"], r.headers["I-Twilio-Idempotency-Token"]) for r in receiver.at("/inbound")]
    assert len(set(tokens)) == 2


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_at_once_although_somebody_follows(http: aiohttp.ClientSession, how: signal.Signals) -> None:
    async with started() as (process, url):
        async with http.get(f"{url}/handset/v1/events") as one, http.get(f"{url}/phones/events") as two:
            await one.content.readline()
            await two.content.readline()
            process.send_signal(how)
            async with asyncio.timeout(2):
                assert await process.wait() == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""


async def test_one_folder_serves_one_handset(tmp_path: Path) -> None:
    async with started("--data", str(tmp_path)):
        second = await run("--port", "0", "--data", str(tmp_path))
        _, told = await second.communicate()
        assert (second.returncode, b"in use by another Handset" in told) == (2, True)


async def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    async with started() as (_, url):
        process = await run("--port", url.rpartition(":")[2])
        _, error = await process.communicate()
        assert process.returncode == 2
        assert error.decode().endswith("Address already in use; choose another --port\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "truncated"), ('{"numbres": []}', "numbres"), ('{"numbers": [{"address": "x"}]}', "no address")],
)
async def test_a_bad_configuration_is_told_and_nothing_starts(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    process = await run("--config", str(path))
    _, error = await process.communicate()
    assert process.returncode == 2
    assert told in error.decode()
    assert b"Traceback" not in error


async def test_a_journal_that_is_damaged_is_not_thrown_away(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.write_text('{"kind":"message","value":{}}\n')
    process = await run("--data", str(tmp_path))
    _, error = await process.communicate()
    assert process.returncode == 2
    assert b"line 1" in error
    assert journal.read_text() == '{"kind":"message","value":{}}\n'


async def test_the_clock_hurries_as_the_command_line_says(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    config = config_file(tmp_path, clock={"at": "2031-05-03T12:00:00Z", "rate": 2.0})
    async with started("--config", config, "--clock-rate", "100") as (_, url):
        clock = await ask(http, "GET", f"{url}/handset/v1/clock")
        assert (clock["at"], clock["rate"]) == ("2031-05-03T12:00:00Z", 100.0)
    process = await run("--clock-rate", "-1")
    _, error = await process.communicate()
    assert process.returncode == 2
    assert b"clock.rate" in error
    assert b"Traceback" not in error


async def test_it_stops_at_once_although_answers_are_held(http: aiohttp.ClientSession) -> None:
    async with started() as (process, url):
        await ask(http, "POST", f"{url}/handset/v1/faults", json="timeout_landed")
        auth = {"Authorization": aiohttp.encode_basic_auth(DEFAULT_ACCOUNT_SID, DEFAULT_AUTH_TOKEN)}
        send = f"{url}/2010-04-01/Accounts/{DEFAULT_ACCOUNT_SID}/Messages.json"
        form = {"To": ADA, "From": SMS, "Body": "hi"}
        held = asyncio.ensure_future(http.post(send, data=form, headers=auth))
        async with asyncio.timeout(10):
            while not (await ask(http, "GET", f"{url}/handset/v1/messages"))["messages"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await process.wait() == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""
        with pytest.raises(aiohttp.ClientError):
            await held


async def test_help_is_there() -> None:
    process = await run("--help")
    told, _ = await process.communicate()
    assert process.returncode == 0
    assert b"--strict-callbacks" in told
