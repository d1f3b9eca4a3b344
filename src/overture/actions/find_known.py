"""Find what the provider is known to have of messages: every id of every try, with how far each got."""

from collections.abc import Sequence

from overture.domain.delivery import DeliveryStatus, Known
from overture.store import attempts, second_sids
from overture.store.engine import Writing


async def find_known(tx: Writing, message_ids: Sequence[str]) -> dict[str, list[Known]]:
    """The ids by message, held until the commit; a message of which the provider is known to have none is left out."""
    tries = await attempts.lock(tx, message_ids)
    found: dict[str, list[Known]] = {}
    for one in tries:
        if one.sid is not None:
            status = DeliveryStatus.QUEUED if one.status is None else DeliveryStatus(one.status)
            known = Known(attempt=one.number, sid=one.sid, status=status, error_code=one.error_code)
            found.setdefault(one.message_id, []).append(known)
    if twice := [one.message_id for one in tries if one.duplicate]:
        for second in await second_sids.list_of_messages(tx, twice):
            known = Known(attempt=second.number, sid=second.sid, status=second.status, error_code=second.error_code)
            found.setdefault(second.message_id, []).append(known)
    return found
