"""The verbs of `overture deliveries`."""

import json
from collections.abc import Sequence
from datetime import datetime

from msgspec import to_builtins
from rich.console import Console
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import fit, for_ids, on_screen
from overture.domain.errors import Unknown
from overture.domain.message import Direction
from overture.settings import Settings
from overture.web.api.conversations import MessageView
from overture.web.api.cost_shapes import CostView
from overture.web.api.deliveries import DecisionView, DeliveryList
from overture.web.api.delivery_shapes import AttemptView, DeliveryView

_MAKES = "`overture serve` makes it."
_NONE = {
    "needs_review": "No message waits for a decision.",
    "uncertain": "No message's outcome is being looked for.",
    "queued": "No message is queued.",
    "sending": "No message is at the provider this moment.",
}


def show_all(settings: Settings, *, state: str, after: str, limit: int, as_json: bool) -> None:
    """Print the messages that are in a state."""
    if state not in _NONE:
        hint = f"States are {', '.join(_NONE)}. What left already is told by `overture deliveries show`."
        telling.stop(
            f"--state: {state!r} is no state of a message that has not left.", hint=hint, status=telling.MISUSED
        )
    serving.require_data(settings, _MAKES)

    async def look() -> DeliveryList:
        async with serving.operator(settings) as client:
            return await client.list_deliveries(state, after=after, limit=limit)

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if not found.deliveries:
        print(_NONE[state])
        return
    table = Table(for_ids("message, to"), "age", "tries", "why, text", box=None, pad_edge=False)
    for one in found.deliveries:
        to = f"{one.channel} {one.contact_number or ''}"
        table.add_row(
            f"{one.message_id}\n{to}",
            _age(one.age_seconds),
            str(len(one.attempts)),
            "\n".join(filter(None, (_why(one), _words(one.text)))),
        )
    on_screen().print(table)
    if found.has_more:
        print(f"There are more: --after {found.deliveries[-1].message_id}")
    elif state == "needs_review":
        print("`overture deliveries show ID` tells every try; then `resend ID` or `drop ID`.")


def show(settings: Settings, an_id: str, *, as_json: bool) -> None:
    """Print what became of a message, or of every message of a conversation."""
    serving.require_data(settings, _MAKES)

    async def look() -> DeliveryView | list[MessageView]:
        async with serving.operator(settings) as client:
            try:
                return await client.get_delivery(an_id)
            except Unknown as no_message:
                try:
                    return (await client.list_messages(an_id, limit=500)).messages
                except Unknown:
                    raise no_message from None

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
    elif isinstance(found, DeliveryView):
        _print(found)
    else:
        _print_all(found)


def resend(settings: Settings, message_id: str, *, valid_seconds: int | None) -> None:
    """Send a message in review once more."""
    serving.require_data(settings, _MAKES)

    async def again() -> DecisionView:
        async with serving.operator(settings) as client:
            return await client.resend(message_id, valid_seconds=valid_seconds)

    decided = telling.run(again())
    if decided.changed:
        print(f"The message {message_id} is queued again; a running server sends it.")
    else:
        print(f"The message {message_id} is being sent again already: it is {decided.state}.")


def drop(settings: Settings, message_id: str, *, note: str | None) -> None:
    """Give a message in review up."""
    serving.require_data(settings, _MAKES)

    async def give_up() -> DecisionView:
        async with serving.operator(settings) as client:
            return await client.drop(message_id, note=note)

    decided = telling.run(give_up())
    print(f"The message {message_id} {'is dropped' if decided.changed else 'was dropped before'}.")


def _print(one: DeliveryView) -> None:
    lines = Table.grid(padding=(0, 2))
    told: Sequence[tuple[str, str | None]] = (
        ("message", one.message_id),
        ("conversation", f"{one.conversation_id}, line {one.seq}"),
        ("from", f"{one.channel} {one.sender_number or ''}".rstrip()),
        ("to", one.contact_number),
        ("text", "(it cannot be read)" if one.text is None else fit(one.text, 1600)),
        ("state", None if one.state is None else one.state.value),
        ("why", _why(one) or None),
        ("what to do", one.hint),
        ("twice?", "The provider may have taken it twice." if one.possible_duplicate else None),
        ("cost", _cost(one.cost)),
        ("written", _at(one.created_at)),
        ("due", None if one.due_at is None else _at(one.due_at)),
        ("worth sending until", None if one.expires_at is None else _at(one.expires_at)),
    )
    for name, value in told:
        if value is not None:
            lines.add_row(name, value)
    console = on_screen()
    console.print(lines)
    if one.attempts:
        print()
        _print_attempts(console, one.attempts)


def _print_attempts(console: Console, attempts: Sequence[AttemptView]) -> None:
    table = Table("try", "began, ended", for_ids("outcome, provider's id"), "why", box=None, pad_edge=False)
    for one in attempts:
        when = [_at(at) for at in (one.started_at, one.finished_at) if at is not None]
        outcome = one.state.value if one.status is None else f"{one.state.value}, {one.status}"
        became = [outcome, *(sid for sid in (one.provider_sid, *one.second_sids) if sid)]
        table.add_row(str(one.number), "\n".join(when), "\n".join(became), fit(one.description or "", 200))
    console.print(table)


def _print_all(lines: Sequence[MessageView]) -> None:
    ours = [line for line in lines if line.direction is Direction.OUT]
    if not ours:
        print("Nothing was said to the contact in this conversation.")
        return
    table = Table("line", for_ids("message"), "state, tries", "cost", "why, text", box=None, pad_edge=False)
    for line in ours:
        state = "" if line.state is None else line.state.value
        why = fit(line.reason_description or line.waits_description or "", 200)
        said = "\n".join(filter(None, (why, _words(line.text))))
        table.add_row(str(line.seq), line.id, f"{state}\n{len(line.attempts)}", _cost(line.cost) or "", said)
    on_screen().print(table)


def _cost(cost: CostView | None) -> str | None:
    """What was charged, else what is expected; None where neither is known."""
    if cost is None or cost.currency is None:
        return None
    if cost.charged is not None:
        return f"{cost.charged} {cost.charged_currency or cost.currency}"
    return f"about {cost.estimated} {cost.currency}"


def _why(one: DeliveryView) -> str:
    """In review what its last try said; else why it failed or waits."""
    if one.state == "needs_review" and one.attempts and one.attempts[-1].description:
        return fit(one.attempts[-1].description, 200)
    return fit(one.reason_description or one.waits_description or "", 200)


def _words(text: str | None) -> str:
    return "(unreadable)" if text is None else fit(text, 60)


def _at(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
