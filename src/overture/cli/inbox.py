"""The verbs of `overture inbox`."""

import json

from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import fit, for_ids, on_screen
from overture.settings import Settings
from overture.store.inbox import LeftOver
from overture.web.api.inbox import InboxList, RetriedWebhook

_STATES = ("unrouted", "parked")
_MAKES = "`overture serve` makes it."


def show_all(settings: Settings, *, state: str | None, after: str, limit: int, as_json: bool) -> None:
    """Print the webhooks that were left over."""
    if state is not None and state not in _STATES:
        hint = f"States are {' and '.join(_STATES)}."
        telling.stop(f"--state: {state!r} is no state of a left-over webhook.", hint=hint, status=telling.MISUSED)
    serving.require_data(settings, _MAKES)

    async def look() -> list[InboxList]:
        async with serving.operator(settings) as client:
            asked = _STATES if state is None else (state,)
            return [await client.list_inbox(one, after=after, limit=limit) for one in asked]

    pages = telling.run(look())
    found = sorted((one for page in pages for one in page.events), key=lambda one: one.id)
    has_more = any(page.has_more for page in pages) or len(found) > limit
    found = found[:limit]
    if as_json:
        print(json.dumps(to_builtins(InboxList(events=found, has_more=has_more)), indent=2))
        return
    if not found:
        print("Every webhook was handled.")
        return
    table = Table(for_ids("webhook, provider's id"), "state, what", "received", "why", box=None, pad_edge=False)
    for one in found:
        received = f"{one.received_at.astimezone():%Y-%m-%d\n%H:%M:%S}"
        table.add_row(f"{one.id}\n{fit(one.unique_key, 60)}", f"{one.state}\n{one.kind}", received, _why(one))
    on_screen().print(table)
    print(
        f"There are more: --after {found[-1].id}"
        if has_more
        else "`overture inbox retry ID` handles one again, once its sender is set up or its fault is mended."
    )


def retry(settings: Settings, inbox_id: str) -> None:
    """Have a webhook handled again."""
    serving.require_data(settings, _MAKES)

    async def again() -> RetriedWebhook:
        async with serving.operator(settings) as client:
            return await client.retry_inbox(inbox_id)

    retried = telling.run(again())
    if retried.changed:
        print(f"The webhook {inbox_id} is due again; a running server handles it.")
    else:
        print(f"The webhook {inbox_id} is due already.")


def _why(one: LeftOver) -> str:
    """Its outcome; of a traceback the last line, where the error stands."""
    lines = (one.outcome or "").strip().splitlines()
    return fit(lines[-1], 200) if lines else ""
