"""`overture agents chat`: be the contact, on this terminal. What stands in for the world is what `overture test` has.

Models are those of the settings; without one the person at the keyboard answers in its place, as for every tool.
"""

import asyncio
import contextlib
import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from overture.actions.save_knowledge import Prepared
from overture.agents import kinds, script_reading
from overture.agents.script import Play
from overture.cli import rehearse, telling
from overture.cli.rehearsal.called import recognise
from overture.cli.rehearsal.expecting import Missed
from overture.cli.rehearsal.house import House, RunawayError, open_house
from overture.cli.rehearsal.player import Player
from overture.cli.rehearsal.stand_ins import SetClock, Unexpected
from overture.cli.rehearsal.transcript import Transcript
from overture.domain.agent import AgentSpec
from overture.domain.errors import OutcomeUnknown, Permanent
from overture.domain.ports import ModelClient
from overture.domain.tool import HttpAnswer, HttpRequest
from overture.domain.turn import ModelAnswered, ModelRequest
from overture.settings import Settings

_HELP: Final = "Write as the contact. /wait 3d lets time pass, /tap LABEL taps a button, /state tells, /quit ends."


class Keyboard:
    """Who sits there: the contact, and whoever else is asked. `unexpected` and `answers` are a script's, and empty."""

    def __init__(self, spec: AgentSpec, names: Sequence[str]) -> None:
        self._spec: Final = spec
        self._names: Final = names
        self.unexpected: Final[list[Unexpected]] = []
        self.answers: Final[deque[Any]] = deque()
        self._lines: Final[asyncio.Queue[str | None]] = asyncio.Queue()
        self._left = False

    async def read(self, mark: str) -> str | None:
        """A line; None at the end of the input and after /quit, whoever is asked."""
        if self._left:
            return None
        print(f"{mark}> ", end="", flush=True)
        line = await self._lines.get()
        if line is None:
            print()
            self._lines.put_nowait(None)  # an input that has ended stays so
            return None
        if not sys.stdin.isatty():
            print(line)
        self._left = line.strip() == "/quit"
        return None if self._left else line

    def listen(self) -> None:
        """Read on in a thread: a read that nobody waits for any more, and Ctrl-C, must not hang on the keyboard."""
        loop = asyncio.get_running_loop()

        def read() -> None:
            with contextlib.suppress(RuntimeError):  # the chat is over, and nobody listens
                for line in sys.stdin:
                    text = line.rstrip("\n").encode(errors="replace").decode()  # what was no UTF-8 is a question mark
                    loop.call_soon_threadsafe(self._lines.put_nowait, text)
                loop.call_soon_threadsafe(self._lines.put_nowait, None)

        threading.Thread(target=read, name="keyboard", daemon=True).start()

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """What is typed in a model's place."""
        line = await self.read("model")
        if not line:
            raise Permanent("model_silent", "Nobody answered in the model's place.")
        return ModelAnswered(text=line)

    def endpoints(self) -> Sequence[str]:
        """Whatever the agent names is there."""
        return self._names

    async def call(self, request: HttpRequest, *, timeout_seconds: float) -> HttpAnswer:
        """What is typed in a server's place: JSON, or a status; nothing is a silence."""
        print(f"The agent calls {recognise(self._spec, request)}: type its answer as JSON, or a status.")
        line = await self.read("tool")
        if not line:
            raise OutcomeUnknown("tool_no_answer", "Nobody answered in the tool's place.")
        if line.isascii() and line.isdecimal() and 300 <= int(line[:4]) <= 599:
            return HttpAnswer(status=int(line), content_type="text/plain", body=b"")
        return HttpAnswer(status=200, content_type="application/json", body=line.encode(errors="replace"))


def run(
    settings: Settings,
    file: Path,
    *,
    channel: str,
    given: Sequence[str],
    knowledge: Sequence[str] = (),
    you_begin: bool,
) -> None:
    """Talk until /quit or the end of the input. Raises Stop."""
    from overture import log

    log.configure("critical", "text")
    if channel not in ("sms", "whatsapp"):
        telling.stop(f"--channel: {channel!r} is none of sms, whatsapp.", status=telling.MISUSED)
    spec = rehearse.read_agent(file)
    play = Play(
        name="chat",
        steps=(),
        channel="sms" if channel == "sms" else "whatsapp",
        variables=dict(_pair("--variable", "VALUE", one) for one in given),
        opened_by="contact" if you_begin else "agent",
        window=channel == "whatsapp",
    )
    files = dict(_pair("--knowledge", "FILE", one) for one in knowledge)
    known = rehearse.read_knowledge({name: Path(path) for name, path in files.items()})
    telling.run(_talk(settings, spec, play, known))


async def _talk(settings: Settings, spec: AgentSpec, play: Play, knowledge: Mapping[str, Prepared]) -> None:
    keyboard = Keyboard(spec, rehearse.model_names(spec))
    keyboard.listen()
    models: ModelClient = keyboard
    close: Callable[[], Any] | None = None
    if kinds.models(spec) and settings.models:
        from overture.bootstrap import doors

        live = doors.open_models(settings)
        models, close = live, live.aclose
    transcript = Transcript(SetClock(play.now))
    print(f"{spec.name}, on {play.channel}. {_HELP}")
    try:
        async with open_house(play.now, models=models, tools=keyboard, transcript=transcript) as house:
            player = Player(play, spec, house, transcript, models=keyboard, tools=keyboard, knowledge=knowledge)
            await _Chat(player, house, transcript, keyboard).goes_on()
    except (Missed, RunawayError) as missed:
        telling.stop(str(missed), hint=missed.hint if isinstance(missed, Missed) else None)
    finally:
        if close is not None:
            await close()


class _Chat:
    """One chat."""

    def __init__(self, player: Player, house: House, transcript: Transcript, keyboard: Keyboard) -> None:
        self._player: Final = player
        self._house: Final = house
        self._transcript: Final = transcript
        self._keyboard: Final = keyboard
        self._shown = 0

    async def goes_on(self) -> None:
        """Until nobody writes any more."""
        await self._player.prepares()
        self._shown = len(self._transcript.entries)
        await self._player.rests()
        self._show()
        while (line := await self._keyboard.read("you")) is not None:
            await self._do(line.strip()[: script_reading.LONGEST])
            self._show()

    async def _do(self, line: str) -> None:
        command, _, rest = line.partition(" ")
        match command:
            case "":
                return
            case "/wait":
                length = script_reading.read_length(rest)
                if length is None:
                    print("/wait 90s, 15m, 1h30m or 3d; at most 400 days.")
                    return
                await self._house.passes(length)
            case "/tap" if rest:
                await self._hears(rest, tapped=True)
            case "/state":
                await self._tell_state()
            case _ if command.startswith("/"):
                print(_HELP)
            case _:
                await self._hears(line)

    async def _hears(self, text: str, *, tapped: bool = False) -> None:
        await self._player.hears([text], tapped=tapped)
        self._shown = len(self._transcript.entries)
        await self._player.rests()

    async def _tell_state(self) -> None:
        found = await self._player.conversation()
        if found is None:
            print("No conversation has begun.")
            return
        ended = "" if found.end_reason is None else f" ({found.end_reason.value})"
        note = "" if found.mode_note is None else f", {found.mode_note!r}"
        state = "" if found.state is None else f"\n{json.dumps(json.loads(found.state), ensure_ascii=False)}"
        print(f"{found.mode.value}{ended}, at {found.place or 'its beginning'}{note}{state}")

    def _show(self) -> None:
        for line in self._transcript.lines(self._shown):
            print(line)
        self._shown = len(self._transcript.entries)
        self._transcript.unread.clear()


def _pair(option: str, what: str, text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        telling.stop(f"{option}: {text!r} is no NAME={what}.", status=telling.MISUSED)
    return name.strip(), value
