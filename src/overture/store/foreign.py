"""What decides over messages that left a sender and are none of ours: whether something of ours may be among them."""

from typing import Final

from overture.store.engine import Reading
from overture.store.statement import Query

_IS_BUSY: Final = Query(
    """
    SELECT 1 FROM outbox WHERE thread_id = $1 AND state IN ('sending', 'uncertain')
    UNION ALL
    SELECT 1 FROM thread t JOIN sender s ON s.id = t.sender_id WHERE t.id = $1 AND s.restored_from IS NOT NULL
    LIMIT 1
    """
)


async def is_busy(tx: Reading, thread_id: str) -> bool:
    """Whether something of ours is on its way between two, or what was sent before a restore is yet to be found out."""
    return await tx.one(_IS_BUSY, thread_id) is not None
