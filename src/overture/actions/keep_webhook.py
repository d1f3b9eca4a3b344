"""Keep webhooks: the in road's first commit. Nothing is made of them here; a duplicate changes nothing.

One exception: a webhook that comes after a sweep found its message, and before that was handled, takes its place, since
it knows of buttons and names.
"""

from collections.abc import Sequence
from datetime import datetime

from overture.domain.ids import shard_for
from overture.domain.ports import Ids, RawEvent
from overture.store import inbox, recovered
from overture.store.engine import Writing


async def keep_webhooks(tx: Writing, events: Sequence[RawEvent], now: datetime, ids: Ids) -> list[bool]:
    """Keep each event once; whether it was new. The caller commits, and answers the provider only then."""
    first: dict[tuple[str, str], int] = {}
    kept = []
    for n, event in enumerate(events):
        if first.setdefault((event.account_sid, event.unique_key), n) == n:
            shard = shard_for(event.account_sid, event.ordering_key)
            kept.append((ids.new(now, shard), shard, event))
    new = await inbox.insert_all(tx, kept, now)
    if repeated := [event for _, _, event in kept if event.kind == "inbound" and event.unique_key not in new]:
        await recovered.enrich(tx, repeated)
    return [e.unique_key in new and first[e.account_sid, e.unique_key] == n for n, e in enumerate(events)]
