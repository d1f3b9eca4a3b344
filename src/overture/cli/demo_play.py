"""What happens on the demo's stage: agents are kept, conversations opened, and shown as they go on."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from overture.adapters.clock import SystemClock
from overture.cli import demo_scene, telling
from overture.cli.demo_handset import Handset
from overture.cli.demo_scene import GRACE, Cast
from overture.cli.demo_show import Follower, Screen
from overture.client import Client
from overture.domain.errors import NotAllowed, OutcomeUnknown, Transient, Unavailable
from overture.web.api.chat_shapes import Chat

T = TypeVar("T")

_LOOK_SECONDS: Final = 0.25  # between two looks at the conversations: quick for an eye, nothing for the server
_PAUSE_SECONDS: Final = 0.03  # between two looks at a condition
_PATIENCE_SECONDS: Final = 20.0
_ARRIVED: Final = frozenset({"sent", "delivered", "read"})
_SETTLED: Final = frozenset({"delivered", "read", "undelivered", "failed", "canceled"})
_NOT_HEARD_YET: Final = frozenset({"window_closed", "recipient_opted_out"})


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that runs: `operator` calls over the data folder's socket, `client` over HTTP with the printed key."""

    screen: Screen
    handset: Handset
    operator: Client
    client: Client
    people: tuple[Cast, ...]
    base_url: str
    key: str
    folder: Path


async def play(stage: Stage, words: Mapping[str, str], *, once: bool) -> None:
    """Set the stage, open the conversations and show them; for ever, or `once` to the end of the script.

    `words` are what each phone types first, so that its window is open.
    """
    with stage.screen.step(f"agents: {', '.join(person.agent_name for person in stage.people)}"):
        for person in stage.people:
            await stage.operator.put_agent(text=demo_scene.specification(person))
    for person in stage.people:
        if person.phone in words:
            with stage.screen.step(f"{person.name} writes first, which opens the WhatsApp window for a day"):
                await stage.handset.types(person.phone, person.sender, words[person.phone])
    follower = Follower(stage.screen, stage.client, stage.people, SystemClock().now())  # who reads on may call at once
    _tell(stage)
    if once:
        await _play_script(stage, follower)
        return
    stage.screen.verbatim("\nThis call is made now; answer it on the phones' page. Ctrl-C ends the demo.\n")
    for person in stage.people:
        await _open(stage, person)
    await _follow(follower)


def _tell(stage: Stage) -> None:
    screen = stage.screen
    screen.say(f"\n[bold]Ready[/] after {screen.seconds:.1f} s.\n")
    for what, shown in (
        ("Phones", stage.handset.base_url),
        ("API documentation", f"{stage.base_url}/docs"),
        ("Inbox", f"{stage.base_url}/inbox"),
        ("API key", stage.key),
        ("Data", str(stage.folder)),
    ):
        screen.verbatim(f"  {what:<19}{shown}")
    screen.verbatim(f"\nOpen a conversation with {GRACE.name}:\n")
    screen.verbatim(demo_scene.curl(stage.base_url, stage.key), "cyan")


async def _open(stage: Stage, person: Cast) -> str:
    """Make a person's call over HTTP; the conversation's id.

    What the person typed first may still be on its way in, so a closed window is asked again. The demo's consent
    makes the body its own: the printed call, made within the minute, is no repetition of it.
    """

    async def start() -> str | None:
        try:
            started = await stage.client.start_outbound(
                agent_id=person.agent_id,
                channel=person.channel,
                to_number=person.number,
                from_number=demo_scene.SENDER,
                initial_message=person.opening,
                custom_variables=person.variables or None,
                consent={"source": "demo"},
                idempotency_key=f"demo {key}",
            )
        except NotAllowed as refused:
            if refused.code in _NOT_HEARD_YET:
                return None
            raise
        return started.conversation_id

    key = secrets.token_hex(8)
    return await _until(start, f"the conversation with {person.name} to open")


async def _play_script(stage: Stage, follower: Follower) -> None:
    """Play every scripted conversation to its end, show it, and say how long things took."""
    stage.screen.verbatim("\nThis call is made now, and answered by a script.\n")
    showing = asyncio.get_running_loop().create_task(_follow(follower))
    opened, replied = [], []
    try:
        for person in stage.people:
            if person.answers:
                first, replies = await _play_one(stage, person)
                opened.append(first)
                replied += replies
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    await follower.look()
    stage.screen.verbatim(
        f"\nPlayed: {len(opened)} conversations to their end. From the call to the phone: "
        f"{_seconds(opened)}; from the phone to the reply: {_seconds(replied)} (of which the quiet time is 0.2 s)."
    )


async def _follow(follower: Follower) -> None:
    """Show what is new for ever; while Overture is away nothing is."""
    while True:
        with contextlib.suppress(Unavailable, Transient, OutcomeUnknown):
            await follower.look()
        await asyncio.sleep(_LOOK_SECONDS)


async def _play_one(stage: Stage, person: Cast) -> tuple[float, list[float]]:
    """One conversation by its script; the seconds until the opening arrived, and those of each reply."""
    heard = await _heard(stage, person)
    began = time.monotonic()
    conversation_id = await _open(stage, person)
    heard = await _next(stage, person, heard)
    first, replies = time.monotonic() - began, []
    for answer in person.answers:
        began = time.monotonic()
        await stage.handset.types(person.phone, person.sender, answer)
        heard = await _next(stage, person, heard)
        replies.append(time.monotonic() - began)

    async def ended() -> Chat | None:
        chat = await stage.client.get_chat(conversation_id)
        settled = all(line.status in _SETTLED for line in chat.conversation_history if line.agent_id != "user")
        return chat if chat.end_reason is not None and settled else None

    chat = await _until(ended, f"the conversation with {person.name} to end")
    if chat.chat_status != "completed":
        telling.stop(f"The conversation with {person.name} ended as {chat.end_reason}, not completed.")
    return first, replies


async def _heard(stage: Stage, person: Cast) -> int:
    """How many messages have reached a phone."""
    messages = await stage.handset.messages(person.phone)
    return sum(message["to"] == person.phone and message["status"] in _ARRIVED for message in messages)


async def _next(stage: Stage, person: Cast, before: int) -> int:
    """Wait for the next message on a phone; how many there are then."""

    async def more() -> int | None:
        count = await _heard(stage, person)
        return count if count > before else None

    return await _until(more, f"a message on {person.name}'s phone")


async def _until(look: Callable[[], Awaitable[T | None]], what: str) -> T:
    """What a look finds. Raises Stop where it finds nothing for long."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                found = await look()
                if found is not None:
                    return found
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        telling.stop(f"Waited {_PATIENCE_SECONDS:.0f} seconds for {what}, in vain.")


def _seconds(took: list[float]) -> str:
    ordered = sorted(took)
    if len(ordered) == 1:
        return f"{ordered[0]:.2f} s"
    return f"{ordered[0]:.2f} to {ordered[-1]:.2f} s"
