"""Look up what an agent needs to know, and write down which passages it was given.

A search changes nothing, so it is written down once, after it. A turn that is run again is told what its earlier
attempt was told, though the base may have changed: only then does it ask its model the same, and do nothing twice.
"""

import asyncio
from typing import Final

from overture import log
from overture.actions import look_up
from overture.domain.turn import NeedSearch, Searched
from overture.store.conversations import Conversation
from overture.store.engine import Store
from overture.turns.journal import Journal

_log: Final = log.get(__name__)


async def search(need: NeedSearch, *, claimed: Conversation, store: Store, journal: Journal) -> Searched:
    """What was found, now or before."""
    if (known := journal.find_search(need)) is not None:
        return known
    looked = await store.read(lambda tx: look_up.look_up(tx, claimed.workspace_id, need))
    missing = set(need.bases).difference(base.name for base, _ in looked.bases)
    if missing:
        _log.warning("knowledge_missing", conversation_id=claimed.id, bases=sorted(missing))
    found = await asyncio.to_thread(look_up.answer, looked, need)
    await journal.keep_search(need, found)
    return found
