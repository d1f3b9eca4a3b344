"""The server under measurement, a process of its own: `python -m benchmarks.served` with one JSON argument.

It binds itself to its core, starts, tells its port (and key) in one line of JSON, and serves until SIGTERM.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import uvloop
from msgspec import Struct

from benchmarks import ruling
from benchmarks.echo import echo
from overture import log
from overture.actions.manage_keys import create_key
from overture.bootstrap import WORKSPACE, House, doors
from overture.domain.access import Scope
from overture.domain.agent import AgentSpec, Ask, FlowSpec, Node, PromptSpec
from overture.domain.model_check import Checked
from overture.domain.turn import ModelAnswered, ModelRequest
from overture.settings import Settings, read
from overture.store import agents
from overture.store.engine import Writing
from overture.web import serving
from overture.web.app import make_app

ACCOUNT: Final = "AC00000000000000000000000000000001"
TOKEN: Final = "handset-auth-token"
SENDER: Final = "+15551234567"
AGENT: Final = "2a886b7d-d52d-4f8b-8ea0-19d3edc79214"
PUBLIC_URL: Final = "https://overture.example"
_NOBODY: Final = "http://127.0.0.1:9"  # the discard port: a provider that cannot be reached
FLOW: Final = FlowSpec(
    name="Booker",
    nodes={
        "start": Node(say="Hello, it is the salon.", ask=Ask(slot="day"), goto="done"),
        "done": Node(say="Noted.", end="completed"),
    },
)
REPEATING: Final[dict[str, AgentSpec]] = {
    "flow": FlowSpec(
        name="Repeater",
        nodes={
            "start": Node(say="Say something.", ask=Ask(slot="line"), goto="again"),
            "again": Node(say="{line}", ask=Ask(slot="line"), goto="again"),
        },
        max_turns=1000,
    ),
    "prompt": PromptSpec(
        name="Repeater", instructions="Repeat what you are told.", greeting="Say something.", max_turns=1000
    ),
}
"""Agents that answer with what they were told, by their kind."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What to serve: the echo, or Overture on a database, with its workers (`roads`) or without.

    On a `port` that is given, the provider can report there what becomes of messages. With `rules` every rule is set,
    and none of them keeps an opening back. With `repeats`, a kind of agent, its agent answers at once with what it is
    told. It `listens` on a port that is given, to which nothing is reported.
    """

    core: int
    database_url: str = ""
    data: str = ""
    roads: bool = False
    provider: str = _NOBODY
    port: int = 0
    rules: bool = False
    repeats: str = ""
    listens: int = 0

    @property
    def spec(self) -> AgentSpec:
        """The agent that is served."""
        return REPEATING[self.repeats] if self.repeats else FLOW


class Ready(Struct, frozen=True, kw_only=True):
    """The server takes connections; `key` opens its API."""

    port: int
    key: str = ""


class Repeating:
    """A model in the server's own process that answers at once with the last line: its time is not Overture's."""

    def endpoints(self) -> Sequence[str]:
        """One."""
        return ("scripted",)

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """The last line."""
        return ModelAnswered(text=request.lines[-1].text, input_tokens=200, output_tokens=10, model="scripted")

    def adopt(self, checks: Sequence[Checked]) -> None:
        """There is nothing to learn of it."""

    async def aclose(self) -> None:
        """Nothing is open."""


def _repeat(_: Settings) -> Repeating:
    return Repeating()


async def _serve_echo() -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    door = serving.listen("127.0.0.1", 0)
    _tell(Ready(port=door.getsockname()[1]))
    await serving.serve([(echo, door)], stopping)


async def _serve_overture(wanted: Wanted) -> None:
    house = House(settings(wanted), make_model=_repeat if wanted.repeats == "prompt" else doors.open_models)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, house.stopping.set)
    try:
        parts = await house.open()

        async def furnish(tx: Writing) -> str:
            now = house.store.now()
            await agents.save(tx, WORKSPACE, AGENT, wanted.spec, {}, now)
            if wanted.rules:
                await ruling.set_all(tx)
            scopes: Sequence[Scope] = [Scope.SEND]
            return (await create_key(tx, workspace_id=WORKSPACE, name="bench", scopes=scopes, now=now)).text

        key = await house.store.write(furnish)
        door = serving.listen("127.0.0.1", wanted.port or wanted.listens)
        if wanted.roads:
            house.start_roads()
        _tell(Ready(port=door.getsockname()[1], key=key))
        await serving.serve([(make_app(parts), door)], house.stopping)
    finally:
        await house.close()


def settings(wanted: Wanted) -> Settings:
    """The settings of the server that is wanted."""
    environment = {
        "OVERTURE_DATA": wanted.data,
        "OVERTURE_DATABASE_URL": wanted.database_url or f"sqlite:///{Path(wanted.data) / 'overture.db'}",
        "OVERTURE_TWILIO_ACCOUNT_SID": ACCOUNT,
        "OVERTURE_TWILIO_AUTH_TOKEN": TOKEN,
        "OVERTURE_TWILIO_BASE_URL": wanted.provider,
        "OVERTURE_PUBLIC_URL": f"http://127.0.0.1:{wanted.port}" if wanted.port else PUBLIC_URL,
        "OVERTURE_SENDERS": f"sms:{SENDER}={AGENT}",
        "OVERTURE_LOG_LEVEL": "error",
        **({"OVERTURE_QUIET_SECONDS": "0"} if wanted.repeats else {}),
    }
    return read(environment)


def _tell(ready: Ready) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(ready) + b"\n")
    sys.stdout.flush()


def main() -> None:
    """Serve what the first argument asks for."""
    wanted = msgspec.json.decode(sys.argv[1], type=Wanted)
    os.sched_setaffinity(0, {wanted.core})
    log.configure("error", "text")
    uvloop.run(_serve_overture(wanted) if wanted.data else _serve_echo())


if __name__ == "__main__":
    main()
