"""Look up what an agent needs to know, and write down which passages it was given.

A search changes nothing, so it is written down once, after it. A turn that is run again is told what its earlier
attempt was told, though the base may have changed: only then does it ask its model the same, and do nothing twice.
"""

import asyncio
from typing import Final

from overture import log
from overture.actions import look_up
from overture.actions.look_up import Looked
from overture.domain.turn import NeedSearch, Searched
from overture.store.conversations import Conversation
from overture.store.engine import Store
from overture.turns.journal import Journal
from overture.turns.meaning import Meaning

_log: Final = log.get(__name__)


async def search(
    need: NeedSearch, *, claimed: Conversation, store: Store, journal: Journal, meaning: Meaning | None = None
) -> Searched:
    """What was found, now or before."""
    if (known := journal.find_search(need)) is not None:
        return known
    looked, found = await find(need, workspace_id=claimed.workspace_id, store=store, meaning=meaning)
    missing = set(need.bases).difference(base.name for base, _ in looked.bases)
    if missing:
        _log.warning("knowledge_missing", conversation_id=claimed.id, bases=sorted(missing))
    await journal.keep_search(need, found)
    return found


async def find(
    need: NeedSearch, *, workspace_id: str, store: Store, meaning: Meaning | None
) -> tuple[Looked, Searched]:
    """What is found, by words, and by meaning where an endpoint makes vectors."""
    looked = await store.read(lambda tx: look_up.look_up(tx, workspace_id, need))
    if meaning is None or looked.whole:
        return looked, await asyncio.to_thread(look_up.answer, looked, need)
    near = await meaning.find(need, workspace_id=workspace_id, store=store, bases=[base for base, _ in looked.bases])
    return looked, await asyncio.to_thread(look_up.answer, looked, need, near)
