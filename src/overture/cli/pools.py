"""The verbs of `overture pools`, and `overture queues`."""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import fit, on_screen
from overture.client import Client
from overture.domain.pace import PoolKind
from overture.settings import Settings
from overture.web.api.pools import PoolView
from overture.web.api.queues import QueueView

_SETS = "`overture pools set NAME --pace RATE SENDER…` makes one."
_KINDS = [kind.value for kind in PoolKind if kind is not PoolKind.SENDER]


def show_all(settings: Settings, *, as_json: bool) -> None:
    """Print the pools."""
    serving.require_data(settings, _SETS)

    async def look() -> tuple[list[PoolView], dict[str, str]]:
        async with serving.operator(settings) as client:
            return await client.list_pools(), await _names(client)

    found, names = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if not found:
        print(f"There are no pools. {_SETS}")
        return
    table = Table("pool", "kind", "a second", "people a day", "room", "senders", box=None, pad_edge=False)
    for one in found:
        of = "\n".join(names.get(an_id, an_id) for an_id in one.senders)
        pace = "" if one.pace_per_second is None else f"{one.pace_per_second:g}"
        table.add_row(fit(one.name, 64), one.kind.value, pace, _people(one), _room(one), of)
    on_screen().print(table)


def save(
    settings: Settings,
    name: str,
    which: Sequence[str],
    *,
    kind: str,
    pace: float | None,
    people: int | None,
    as_json: bool,
) -> None:
    """Make a pool, or change it."""
    if kind not in _KINDS:
        telling.stop(f"--kind: {kind!r} is none.", hint=f"Kinds are {', '.join(_KINDS)}.", status=telling.MISUSED)
    serving.require_data(settings, "`overture serve` makes it.")

    async def put() -> PoolView:
        async with serving.operator(settings) as client:
            by_name = {named: an_id for an_id, named in (await _names(client)).items()}
            fields: dict[str, Any] = {"kind": kind, "pace_per_second": pace, "recipients_a_day": people}
            return await client.save_pool(name, senders=[by_name.get(one, one) for one in which], **fields)

    one = telling.run(put())
    if as_json:
        print(json.dumps(to_builtins(one), indent=2))
        return
    senders = "1 sender" if len(one.senders) == 1 else f"{len(one.senders)} senders"
    if one.pace_per_second is not None:
        pace_told = f"lets {one.pace_per_second:g} a second leave, of {senders} together."
        print(f"The pool {one.name} ({one.kind.value}) {pace_told}")
    if one.recipients_a_day is not None:
        people_told = f"lets {senders} write first to {one.recipients_a_day} people in 24 hours"
        print(f"The pool {one.name} ({one.kind.value}) {people_told}; {one.recipients_used} count now.")


def remove(settings: Settings, name: str) -> None:
    """Take a pool away."""
    serving.require_data(settings, _SETS)

    async def drop() -> None:
        async with serving.operator(settings) as client:
            await client.remove_pool(name)

    telling.run(drop())
    print(f"The pool {name} is gone; its senders go on without it.")


def show_queues(settings: Settings, *, as_json: bool) -> None:
    """Print what waits at each sender."""
    serving.require_data(settings, "`overture serve` makes it.")

    async def look() -> list[QueueView]:
        async with serving.operator(settings) as client:
            return await client.list_queues()

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if not found:
        print("There are no senders. `overture senders add` sets one up.")
        return
    columns = ("sender", "replies", "openings", "later", "pace", "takes", "expire", "people a day", "held")
    table = Table(*columns, box=None, pad_edge=False)
    for one in found:
        pace = "" if one.pace_per_second is None else f"{one.pace_per_second:g}/s"
        takes = "" if one.estimated_seconds is None else _length(one.estimated_seconds)
        counts = (str(one.replies), str(one.openings), str(one.later))
        name = f"{one.channel}:{one.address}"
        told = (str(one.expiring), _people(one), fit(one.stopped_because or "", 60))
        table.add_row(name, *counts, pace, takes, *told)
    on_screen().print(table)


def _people(one: PoolView | QueueView) -> str:
    """How many of the people of a day are written to, where there is such a limit."""
    return "" if one.recipients_a_day is None else f"{one.recipients_used} of {one.recipients_a_day}"


def _room(one: PoolView) -> str:
    if one.recipients_a_day is None or one.recipients_used is None or one.recipients_free_at is None:
        return ""
    return "now" if one.recipients_used < one.recipients_a_day else f"{one.recipients_free_at:%a %H:%M} UTC"


def _length(seconds: int) -> str:
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


async def _names(client: Client) -> dict[str, str]:
    return {one.id: f"{one.channel}:{one.address}" for one in await client.list_senders()}
