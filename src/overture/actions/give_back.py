"""Give back what messages took of caps and portfolios, once they never left; and count what the provider counted.

What the provider took, or may have taken, stays counted: only a message whose every try was refused has not been paid.
"""

from collections.abc import Sequence

from overture.domain import segments
from overture.domain.channel import Channel
from overture.domain.message import shown
from overture.store import outbox, recipients, takings
from overture.store.engine import Writing


async def give_back(tx: Writing, ended: Sequence[tuple[str, int]]) -> None:
    """Give back what (message, shard) took, if none of them can have left. The caller commits.

    A conversation stands for the opening that its agent has yet to compose.
    """
    if ended:
        await takings.give_back(tx, ended)
        await recipients.give_back(tx, ended)


async def recount(tx: Writing, taken: Sequence[tuple[outbox.Send, int | None]]) -> None:
    """Count messages by the segments that the provider says they have, where it counts otherwise than we did."""
    counts = []
    for send, theirs in taken:
        if theirs and send.channel is Channel.SMS and theirs != (ours := segments.count(shown(send.body))):
            counts.append((send.message_id, send.shard, ours, theirs))
    if counts:
        await takings.resize(tx, counts)
