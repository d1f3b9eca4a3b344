"""Price again what a message costs that says something else now, and what it takes of caps on money."""

from datetime import datetime

from overture.actions.expect_costs import expect_costs
from overture.domain.message import Author, Body, Direction
from overture.store import messages, takings, threads
from overture.store.engine import Writing
from overture.store.messages import NewMessage


async def price_again(
    tx: Writing, place: tuple[str, str, int], carrier: tuple[str, int], body: Body, now: datetime
) -> int | None:
    """The cost in millionths of what stands at (workspace, conversation, seq), written down; None where it is unknown.

    `carrier` is the (message, shard). The caller commits.
    """
    workspace_id, conversation_id, seq = place
    pair = (await threads.find_of_conversations(tx, [(workspace_id, conversation_id)]))[workspace_id, conversation_id]
    line = NewMessage(
        id=carrier[0],
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        seq=seq,
        shard=carrier[1],
        direction=Direction.OUT,
        author=Author.AGENT,
        body=body,
    )
    [counted] = await expect_costs(tx, [line], pair, now)
    if counted.cost is None:
        return None
    await messages.set_costs(tx, [(*place, counted.cost)])
    await takings.reprice(tx, [(*carrier, counted.cost.micros)])
    return counted.cost.micros
