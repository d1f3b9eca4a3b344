"""Note foreign messages: what left one of our senders, on a pair with a conversation, and was not sent by us.

Somebody wrote from the provider's console, or another system shares the number. The agent must know of it, or must be
silent from then on, by the sender's `foreign_outbound`. Nothing is judged on a pair while something of ours is on its
way there, and nothing that a try of unknown fate may have made, or one of ours that the provider took twice: it comes
up again with the next reading. The provider's own answers, to keywords, are not foreign.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.actions import write_down
from overture.actions.settle_delivery import rivals_of
from overture.actions.take_over import take_over
from overture.domain import matching, variants
from overture.domain.channel import address_on, split_address
from overture.domain.conversation import Mode
from overture.domain.delivery import FAILED
from overture.domain.event import EventKind
from overture.domain.message import Author, Direction, Text
from overture.domain.ports import Ids, ProviderMessage
from overture.domain.sender import ForeignOutbound
from overture.store import attempts, conversations, events, foreign, messages, people, senders, threads
from overture.store.conversations import Conversation
from overture.store.engine import Reading, Writing
from overture.store.senders import Sender

_LAST: Final = 20  # lines of ours: as many as are said in ten minutes
_ELSEWHERE: Final = "somebody elsewhere"
_NOTE: Final = "A message that was not sent by this server went to the contact from the same number."


class Foreign(Struct, frozen=True, kw_only=True):
    """A message that may be foreign, with the sender that it left and the contact as it is on record."""

    sender: Sender
    contact: str
    message: ProviderMessage


async def find_unknown(tx: Reading, account_sid: str, found: Iterable[ProviderMessage]) -> list[ProviderMessage]:
    """Those of the provider's messages that were sent and belong to no try of ours."""
    sent = [message for message in found if not message.inbound]
    claimed = await attempts.find_claimed(tx, account_sid, [message.sid for message in sent]) if sent else set()
    return [message for message in sent if message.sid not in claimed]


async def find_foreign(tx: Reading, account_sid: str, found: Sequence[ProviderMessage]) -> list[Foreign]:
    """Those of a page that went from a sender of ours to a contact with a live conversation, and are not known."""
    unknown = await find_unknown(tx, account_sid, (one for one in found if not one.automatic))
    if not unknown:
        return []
    by_address = {address_on(one.channel, one.address): one for one in await senders.list_of_account(tx, account_sid)}
    possible = []
    for message in unknown:
        sender = by_address.get(message.sender)
        if sender is None or sender.removed_at is not None or sender.foreign_outbound is ForeignOutbound.IGNORE:
            continue
        if message.to in by_address or message.status in FAILED or sender.precedes(message.created_at):
            continue
        contact = variants.canonical(split_address(message.to)[1])
        possible.append(Foreign(sender=sender, contact=contact, message=message))
    pairs = await threads.read_pairs(tx, [(one.sender.workspace_id, one.contact, one.sender.id) for one in possible])
    return [one for one, pair in zip(possible, pairs, strict=True) if pair.live is not None]


async def note_foreign(tx: Writing, account_sid: str, found: Sequence[Foreign], now: datetime, ids: Ids) -> int:
    """Judge what may be foreign, pair by pair; how many messages were noted. The caller commits.

    Only what is younger than the pair's conversation: what was said before it is not part of it.
    """
    by_pair: defaultdict[tuple[str, str], list[Foreign]] = defaultdict(list)
    for one in found:
        by_pair[one.sender.id, one.contact].append(one)
    noted = 0
    for _, of_pair in sorted(by_pair.items()):
        noted += await _judge(tx, account_sid, of_pair, now, ids)
    return noted


async def _said_by_us(tx: Reading, live: Conversation) -> list[matching.Rival]:
    """What we said last: a record of the same words beside it is a second one of the same message.

    What people wrote here has a time until which it was worth sending; what was noted of theirs has none.
    """
    lines = await messages.list_before(tx, live.workspace_id, live.id, live.last_seq + 1, _LAST)
    return [
        matching.Rival(text=line.text if isinstance(line.body, Text) else None, started_at=line.created_at)
        for line in lines
        if line.direction is Direction.OUT and (line.author is not Author.OPERATOR or line.expires_at is not None)
    ]


async def _still_foreign(
    tx: Reading, account_sid: str, of_pair: Sequence[Foreign], live: Conversation, thread_id: str
) -> list[ProviderMessage]:
    """Those of a pair that nothing of ours may have made, oldest first, now that the conversation is held."""
    by_sid = {one.message.sid: one.message for one in of_pair if one.message.created_at >= live.created_at}
    try:
        rivals = [*await rivals_of(tx, thread_id), *await _said_by_us(tx, live)]
    except msgspec.MsgspecError:  # it cannot be told what is ours; the other pairs, and the mark, do not wait for that
        return []
    said = [
        message
        for message in await find_unknown(tx, account_sid, by_sid.values())
        if not any(matching.may_have_made(rival, message) for rival in rivals)
    ]
    return sorted(said, key=lambda message: (message.created_at, message.sid))


async def _judge(tx: Writing, account_sid: str, of_pair: Sequence[Foreign], now: datetime, ids: Ids) -> int:
    sender, contact = of_pair[0].sender, of_pair[0].contact
    [pair] = await threads.read_pairs(tx, [(sender.workspace_id, contact, sender.id)])
    if pair.thread is None or pair.live is None:
        return 0
    live = await conversations.find_locked(tx, sender.workspace_id, pair.live.id, unread=True)
    if live is None or live.mode is Mode.ENDED or await foreign.is_busy(tx, pair.thread.id):
        return 0
    said = await _still_foreign(tx, account_sid, of_pair, live, pair.thread.id)
    if not said:
        return 0
    lines = await write_down.write_down(
        tx,
        (live.workspace_id, live.id),
        said,
        account_sid=account_sid,
        thread_id=pair.thread.id,
        author=Author.OPERATOR,
        now=now,
        ids=ids,
    )
    await people.mark_answered(tx, live.workspace_id, live.id)
    told = [
        events.make(
            ids,
            EventKind.MESSAGE_FOREIGN,
            live.workspace_id,
            live.id,
            now,
            message_id=line.id,
            seq=line.seq,
            provider_sid=line.provider_sid,
        )
        for line in lines
    ]
    await events.insert_all(tx, told, now)
    if sender.foreign_outbound is ForeignOutbound.TAKEOVER and live.mode is Mode.BOT:
        await take_over(
            tx,
            workspace_id=live.workspace_id,
            conversation_id=live.id,
            by=_ELSEWHERE,
            note=_NOTE,
            reason="foreign_outbound",
            now=now,
            ids=ids,
        )
    return len(lines)
