"""What the demo prints: its steps, and conversations as they happen."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from io import TextIOWrapper
from typing import Final

from rich.console import Console
from rich.text import Text

from overture.cli.demo_scene import Cast
from overture.client import Client
from overture.web.api.chat_shapes import Chat, ChatMessage

_TELLING: Final = frozenset({"delivered", "read", "undelivered", "failed", "canceled"})
_FAILED: Final = frozenset({"undelivered", "failed"})
_MOST: Final = 20  # conversations looked at: those of a demo fit in, and an old data folder is not read to its end


class Screen:
    """Standard output; one that cannot show a letter gets a question mark for it."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="replace", line_buffering=True)
        self.console: Final = Console(highlight=False, soft_wrap=True)
        self._began: Final = time.monotonic()

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show a step of the set-up while it goes on, and how long it took."""
        began = time.monotonic()
        with self.console.status(f"{what} ..."):
            yield
        self.say(f"  [green]done[/]  {what} [dim]({time.monotonic() - began:.1f} s)[/]")

    def say(self, text: str = "") -> None:
        """Print a line with rich's marks in it."""
        self.console.print(text)

    def verbatim(self, text: str, style: str = "") -> None:
        """Print a text as it is, neither wrapped nor read for marks."""
        self.console.print(Text(text, style=style))

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began


class Follower:
    """Prints what is new in the conversations that began since the demo did."""

    def __init__(self, screen: Screen, client: Client, people: tuple[Cast, ...], since: datetime) -> None:
        self._screen: Final = screen
        self._client: Final = client
        self._agents: Final[Mapping[str, str]] = {person.agent_id: person.agent_name for person in people}
        self._people: Final[Mapping[str, str]] = {person.number: person.name for person in people}
        self._since: Final = since
        self._shown: Final[dict[tuple[str, int], str]] = {}
        self._ended: Final[set[str]] = set()
        self._last: tuple[str, int] | None = None

    async def look(self) -> None:
        """Look once, and print what is new, oldest first."""
        page = await self._client.list_chats(limit=_MOST)
        for one in reversed(page.chats):
            if one.start_timestamp >= self._since:
                self._show(await self._client.get_chat(one.chat_id))

    def _show(self, chat: Chat) -> None:
        for line in chat.conversation_history:
            self._show_line(chat, line)
        if chat.end_reason is not None and chat.chat_id not in self._ended:
            self._ended.add(chat.chat_id)
            agent, person = self._names(chat)
            self._screen.verbatim(
                f"          The conversation of {agent} and {person} has ended: {chat.end_reason}.", "dim"
            )

    def _show_line(self, chat: Chat, line: ChatMessage) -> None:
        key, status = (chat.chat_id, line.turn_number), line.status or ""
        agent, person = self._names(chat)
        before = self._shown.get(key)
        if before is None:
            who, style = (person, "cyan") if line.agent_id == "user" else (f"{agent} to {person}", "green")
            text = Text(f"{line.timestamp.astimezone():%H:%M:%S}  ", style="dim")
            self._screen.console.print(text.append(f"{who}: ", style=f"bold {style}").append(line.message, style=""))
            self._last = key
        self._shown[key] = status
        if status != before and status in _TELLING:
            which = "" if self._last == key else f", {agent} to {person}: {_beginning(line.message)}"
            why = f" ({line.reason or line.error_code})" if status in _FAILED else ""
            self._screen.verbatim(f"          {status}{why}{which}", "red" if status in _FAILED else "dim")

    def _names(self, chat: Chat) -> tuple[str, str]:
        number = chat.contact_number or "contact"
        return self._agents.get(chat.agent_id, "Agent"), self._people.get(number, number)


def _beginning(text: str) -> str:
    return text if len(text) <= 32 else f"{text[:30].rstrip()} ..."
