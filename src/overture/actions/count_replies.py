"""Count what replies take of caps that watch over segments and money, as they are handed to the provider.

Replies are never refused for a cap, so they may take a budget over its line; openings then wait until it has room. What
was counted before is left as it is: openings when they were accepted, but for the words that an agent composed since.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from overture.domain import caps
from overture.domain.agent import Agent, applying
from overture.domain.rules import Applying
from overture.store import agents, outbox, takings
from overture.store.engine import Writing
from overture.store.takings import Taking


async def count_replies(
    tx: Writing, leaving: Sequence[outbox.Send], authors: Mapping[tuple[str, str, int], Agent], now: datetime
) -> None:
    """Count what leaves now and is not counted yet; `authors` are agents known already. The caller commits."""
    unknown = [send.agent for send in leaving if send.agent not in authors]
    versions = {**authors, **(await agents.find_versions(tx, unknown) if unknown else {})}
    taken: list[Taking] = []
    for send in leaving:
        ruling = applying(versions.get(send.agent), workspace=send.workspace_rules, sender=send.sender_rules)
        if any(caps.spends(rules) for _, rules in ruling.each):
            taken.append(_taking(send, ruling, now))
    if taken:
        await takings.keep_more(tx, taken)


def _taking(send: outbox.Send, ruling: Applying, now: datetime) -> Taking:
    wanted = caps.wanted_of(send.body, send.channel, send.cost_micros)
    lines = caps.lines(ruling, agent_id=send.agent[1], sender_id=send.sender_id)
    [(takes, until)] = takings.takes_of([line for line in lines if line.cap.count in caps.SPENT], [wanted], now)
    return Taking(
        message_id=send.message_id,
        shard=send.shard,
        workspace_id=send.workspace_id,
        contact=send.contact_key,
        takes=takes,
        until=until,
    )
