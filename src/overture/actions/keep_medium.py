"""Keep media: what a message came with is claimed, fetched by its road with no transaction open, and recorded.

What can be told of it in words, who is in a contact card or what a voice note says, then stands in the message, where
the agent reads it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from overture.agents import variables
from overture.domain import retry, vcard
from overture.domain.errors import Failure, Permanent
from overture.domain.message import Text
from overture.domain.ports import FetchedMedium, Ids, Inbound
from overture.store import media, messages
from overture.store.engine import Reading, Writing
from overture.store.media import ToFetch
from overture.store.messages import NewMessage

LEASE: Final = timedelta(seconds=90)  # longer than the fetch's own limit of sixty, and the transcription's of fifteen
_TRIES: Final = 8  # with the pauses below some eleven hours: Twilio keeps media for long, an outage ends before
LONGEST_SPEECH: Final = 2000  # characters: three minutes of fast speech
_FIRST_PAUSE: Final = timedelta(seconds=10)


async def note_media(tx: Writing, heard: Sequence[tuple[Inbound, NewMessage]], now: datetime, ids: Ids) -> None:
    """Note what came with messages that were just kept; it is fetched later. The caller commits."""
    new = [
        media.NewMedium(
            id=ids.new(now, kept.shard),
            shard=kept.shard,
            workspace_id=kept.workspace_id,
            conversation_id=kept.conversation_id,
            seq=kept.seq,
            number=number,
            account_sid=message.account_sid,
            url=url,
        )
        for message, kept in heard
        for number, url in enumerate(message.media_urls)
    ]
    if new:
        await media.insert_all(tx, new, now)


async def claim_media(tx: Writing, limit: int, now: datetime) -> Sequence[ToFetch]:
    """What is to be fetched now, at most `limit`. The caller commits before it fetches."""
    return await media.claim_due(tx, now, now + LEASE, limit)


async def awaits_words(tx: Reading, asked: ToFetch) -> bool:
    """Whether a medium came as a voice note that is to be written down."""
    found = await messages.find_all(tx, [_key(asked)])
    return any(isinstance(line.body, Text) and line.body.awaits_words for line in found.values())


async def keep_medium(
    tx: Writing, asked: ToFetch, result: FetchedMedium | Failure, now: datetime, *, spoken: str | None = None
) -> bool:
    """Record what a fetch brought; what failed is tried again while that can help. The caller commits.

    `spoken` are the words of a voice note, where they were written down. Whether the message says more now, or will
    say no more.
    """
    match result:
        case FetchedMedium():
            await media.keep(tx, asked, content_type=result.content_type, body=result.body)
            if result.content_type in vcard.CONTENT_TYPES:
                who = vcard.read(result.body)
                return await _tell(tx, asked, "[contact]", "[contact]" if who is None else f"[contact {who}]")
            words = variables.clean(spoken or "", LONGEST_SPEECH)
            return await _tell(tx, asked, "[voice note]", f"[voice note] {words}".rstrip())
        case Permanent():
            await media.fail(tx, asked, reason=result.description, again_at=None)
            return await _tell(tx, asked, "", "")
        case Failure():
            over = asked.tries >= _TRIES
            pause = max(_FIRST_PAUSE * 4 ** (asked.tries - 1), retry.delay(asked.tries))
            await media.fail(tx, asked, reason=result.description, again_at=None if over else now + pause)
            return over and await _tell(tx, asked, "", "")


async def _tell(tx: Writing, asked: ToFetch, description: str, told: str) -> bool:
    """Put what a medium tells into its message, in place of the first description that stands for it.

    Nobody waits for its words any more. Whether that changes the message.
    """
    changed = False
    for line in (await messages.find_all(tx, [_key(asked)])).values():
        if isinstance(line.body, Text):
            text = line.body.text.replace(description, told, 1)
            body = msgspec.structs.replace(line.body, text=text, awaits_words=False)
            if body != line.body:
                await messages.set_bodies(tx, [(*_key(asked), body)])
                changed = True
    return changed


def _key(asked: ToFetch) -> tuple[str, str, int]:
    return asked.workspace_id, asked.conversation_id, asked.seq
