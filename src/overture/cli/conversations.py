"""The verbs of `overture conversations`."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import fit, for_ids, on_screen
from overture.client import Client
from overture.domain.conversation import Mode
from overture.domain.message import Author
from overture.settings import Settings
from overture.web.api.conversations import MessageView
from overture.web.api.people_shapes import ConversationView, ModelUseView

T = TypeVar("T")

_MAKES = "`overture serve` makes it."
_MODES = ("bot", "human", "paused", "ended")
_WHO = {Author.AGENT: "agent", Author.CALLER: "caller", Author.CONTACT: "contact", Author.OPERATOR: "person"}
_MOST_LINES = 500


def show_all(settings: Settings, *, mode: str | None, waiting: bool, cursor: str, limit: int, as_json: bool) -> None:
    """Print conversations."""
    if mode is not None and mode not in _MODES:
        telling.stop(f"--mode: {mode!r} is none.", hint=f"Modes are {', '.join(_MODES)}.", status=telling.MISUSED)
    found = _asked(
        settings,
        lambda client: client.list_conversations(
            mode=mode, waiting=waiting, live=mode is None and not waiting, limit=limit, cursor=cursor
        ),
    )
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if not found.conversations:
        print("Nobody waits for a person." if waiting else "There is no such conversation.")
        return
    table = Table(for_ids("conversation, contact"), "who has it", "waits", "last", "why", box=None, pad_edge=False)
    for one in found.conversations:
        name = "" if one.contact_name is None else f" ({fit(one.contact_name, 40)})"
        table.add_row(
            f"{one.conversation_id}\n{one.channel} {one.contact_number or ''}{name}",
            _who_has(one),
            "" if one.waits_seconds is None else _age(one.waits_seconds),
            _at(one.last_activity_at),
            fit(one.note or _follows_up(one), 120),
        )
    on_screen().print(table)
    if found.next_cursor:
        print(f"There are more: --cursor {found.next_cursor}")


def show(settings: Settings, conversation_id: str, *, as_json: bool) -> None:
    """Print a conversation with its lines."""

    async def look(client: Client) -> tuple[ConversationView, list[MessageView]]:
        one = await client.get_conversation(conversation_id)
        return one, (await client.list_messages(conversation_id, limit=_MOST_LINES)).messages

    one, lines = _asked(settings, look)
    if as_json:
        print(json.dumps({"conversation": to_builtins(one), "messages": to_builtins(lines)}, indent=2))
        return
    facts = Table.grid(padding=(0, 2))
    told: Sequence[tuple[str, str | None]] = (
        ("conversation", one.conversation_id),
        ("contact", f"{one.channel} {one.contact_number or ''} {fit(one.contact_name or '', 60)}".rstrip()),
        ("who has it", _who_has(one)),
        ("why", None if one.note is None else fit(one.note, 500)),
        ("waits since", None if one.waits_since is None else _at(one.waits_since)),
        ("agent", _follows_up(one) or None),
        ("began", _at(one.created_at)),
        *(("models", _took(use)) for use in one.model_use or ()),
    )
    for name, value in told:
        if value is not None:
            facts.add_row(name, value)
    console = on_screen()
    console.print(facts)
    if lines:
        print()
        table = Table("line", "when", "who", "text", box=None, pad_edge=False)
        for line in lines:
            state = "" if line.state is None else f" [{line.state.value}]"
            table.add_row(str(line.seq), _at(line.created_at), _WHO[line.author], fit(line.text, 1600) + state)
        console.print(table)


def take_over(settings: Settings, conversation_id: str, *, by: str | None, note: str | None) -> None:
    """Take a conversation over."""
    taken = _asked(settings, lambda client: client.take_over(conversation_id, by=by, note=note))
    print(f"The conversation is {fit(taken.taken_by, 80)}'s{'' if taken.changed else ', as before'}.")
    if taken.already_at_provider:
        print(f"One message of its agent was being sent already: {', '.join(taken.already_at_provider)}")


def write(
    settings: Settings,
    conversation_id: str,
    *,
    text: str | None,
    template: Mapping[str, Any] | None,
    by: str | None,
    beside: bool,
) -> None:
    """Write to a conversation's contact."""
    if (text is None) == (template is None):
        telling.stop("Give either TEXT or --template.", hint="One of the two.", status=telling.MISUSED)
    written = _asked(
        settings,
        lambda client: client.write_message(conversation_id, text=text, template=template, take_over=not beside, by=by),
    )
    print(f"Written; a running server sends it: {', '.join(written.message_ids)}")


def hand_back(settings: Settings, conversation_id: str, *, say: str | None, by: str | None) -> None:
    """Give a conversation back to its agent."""
    done = _asked(settings, lambda client: client.hand_back(conversation_id, say=say, by=by))
    if not done.changed:
        print("The agent had the conversation already.")
    else:
        print(f"The agent has the conversation{', and answers what is unanswered' if done.answers else ''}.")


def end(settings: Settings, conversation_id: str, *, note: str | None, by: str | None, completed: bool) -> None:
    """End a conversation."""
    reason = "completed" if completed else None
    done = _asked(settings, lambda client: client.end_conversation(conversation_id, reason=reason, note=note, by=by))
    print(f"The conversation {'has ended' if done.changed else 'had ended before'}: {done.reason.value}.")


def read_template(sid: str | None, given: Sequence[str]) -> dict[str, Any] | None:
    """A template with the values of its placeholders, from NAME=VALUE. Raises Stop."""
    values = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name or not equals:
            telling.stop(f"--value: {one!r} is not NAME=VALUE.", hint="As --value 1=Ada.", status=telling.MISUSED)
        values[name] = value
    return None if sid is None else {"content_sid": sid, "variables": values}


def _took(use: ModelUseView) -> str:
    """What models took, in one line."""
    told = f"{use.input_tokens} tokens in, {use.output_tokens} out"
    if use.cost is not None:
        told += f", {use.cost} {use.currency}"
    return f"{told}, in part guessed" if use.guessed else told


def _age(seconds: int) -> str:
    """A length of time in one word."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _asked(settings: Settings, what: Callable[[Client], Awaitable[T]]) -> T:
    serving.require_data(settings, _MAKES)

    async def ask() -> T:
        async with serving.operator(settings) as client:
            return await what(client)

    return telling.run(ask())


def _who_has(one: ConversationView) -> str:
    match one.mode:
        case Mode.BOT:
            return "agent"
        case Mode.ENDED:
            return f"ended: {one.end_reason or ''}"
        case Mode.HUMAN | Mode.PAUSED:
            return fit(one.taken_by, 40) if one.taken_by else "nobody yet"


def _follows_up(one: ConversationView) -> str:
    if one.follow_up_at is None:
        return ""
    return f"follows up {_at(one.follow_up_at)}" + (f" ({one.follow_up_waits})" if one.follow_up_waits else "")


def _at(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
