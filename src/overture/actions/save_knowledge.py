"""Keep a text as a knowledge base, or as the next version of one."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from msgspec import Struct

from overture.agents import passages, ranking
from overture.domain.knowledge import Base, Passage
from overture.domain.ports import Ids
from overture.store import knowledge
from overture.store.engine import Writing


class Prepared(Struct, frozen=True, kw_only=True):
    """A text that was read and cut, which of a long one takes a moment: outside of the transaction."""

    text: str
    digest: str
    passages: Sequence[Passage]
    words: Sequence[Sequence[str]]


class SavedBase(Struct, frozen=True, kw_only=True):
    """A base is on disk. `changed` where this made a version; what is kept already makes none."""

    base: Base
    changed: bool


def prepare(raw: bytes) -> Prepared:
    """A file as it is kept. Raises Invalid where it is no text, empty, or too long."""
    text = passages.read(raw)
    cut = passages.cut(text)
    return Prepared(
        text=text,
        digest=sha256(text.encode()).hexdigest(),
        passages=cut,
        words=[ranking.words_of(f"{one.title}\n{one.text}") for one in cut],
    )


async def save_knowledge(
    tx: Writing, workspace_id: str, *, name: str, prepared: Prepared, now: datetime, ids: Ids
) -> SavedBase:
    """Keep it; the caller commits. The passages of the version before are gone in the same commit."""
    known = await knowledge.find(tx, workspace_id, name)
    if known is not None and known.hash == prepared.digest:
        return SavedBase(base=known, changed=False)
    base = await knowledge.save(
        tx,
        workspace_id,
        new_id=ids.new(now),
        name=name,
        digest=prepared.digest,
        text=prepared.text,
        passages=prepared.passages,
        words=prepared.words,
        now=now,
    )
    return SavedBase(base=base, changed=True)
