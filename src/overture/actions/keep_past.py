"""Keep the past: the last lines of each pair from before its sender was activated, so that whoever goes on knows them.

They are history, in both directions: nobody answers them, and what was sent was sent by others.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from overture.actions import write_down
from overture.domain import variants
from overture.domain.channel import BODY_LIMIT, split_address
from overture.domain.delivery import FAILED
from overture.domain.ids import shard_for
from overture.domain.message import Direction
from overture.domain.ports import ProviderMessage
from overture.store import past
from overture.store.engine import Writing
from overture.store.past import PastLine
from overture.store.senders import Sender

LINES: Final = 20  # of one pair, and of each page: what tells an agent what it is about
KEPT: Final = timedelta(days=7)  # who comes back later begins anew (`routing.RESUME_WITHIN`)


async def keep_past(
    tx: Writing, ours: Sequence[Sender], found: Sequence[tuple[int, ProviderMessage]], now: datetime
) -> None:
    """Keep those lines of a page that precede the activation of a sender whose past is being read.

    The page comes with the place of each message in the list, newest first. The caller commits.
    """
    new = {(one.channel, one.address): one for one in ours if one.past_read_at is None}
    own = {(one.channel, one.address) for one in ours}
    counted: dict[tuple[str, str], int] = {}
    lines = []
    for place, message in found if new else ():
        mine, theirs = split_address(message.to), split_address(message.sender)
        if not message.inbound:
            mine, theirs = theirs, mine
        sender = new.get(mine)
        if sender is None or theirs in own or not theirs[1] or not sender.precedes(min(message.created_at, now)):
            continue
        if message.status in FAILED or not (message.body or message.media):
            continue
        contact = variants.canonical(theirs[1])
        counted[sender.id, contact] = counted.get((sender.id, contact), 0) + 1
        if counted[sender.id, contact] <= LINES:
            lines.append(_line(sender, contact, place, message, now))
    await past.keep(tx, lines, LINES)


def _line(sender: Sender, contact: str, place: int, message: ProviderMessage, now: datetime) -> PastLine:
    return PastLine(
        sender_id=sender.id,
        contact=contact,
        sid=message.sid,
        shard=shard_for(sender.workspace_id, contact),
        workspace_id=sender.workspace_id,
        direction=Direction.IN if message.inbound else Direction.OUT,
        text=write_down.in_words(message)[: BODY_LIMIT[sender.channel]],
        place=place,
        at=min(message.created_at, now),
    )
