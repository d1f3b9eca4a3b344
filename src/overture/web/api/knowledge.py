"""Knowledge bases: texts that agents answer from. Bring one, look at it, ask it as an agent would, take it away."""

import asyncio
import re
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from overture.actions import save_knowledge
from overture.domain.access import Scope
from overture.domain.errors import Invalid, Unknown
from overture.domain.knowledge import MOST_BYTES, Base
from overture.domain.turn import NeedSearch
from overture.store import knowledge
from overture.store.engine import Reading
from overture.turns import knowledge as find_passages
from overture.web.routes import Answer, Call, delete, get, put

_TEXT: Final = "text/markdown"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class KnowledgeView(Struct, frozen=True, kw_only=True):
    """A knowledge base. Each change of its text is a version; `hash` is the text's SHA-256.

    `embedded` of its passages have a vector in `space`, a model and how many numbers it gives: once all have one, it is
    searched by meaning as well. Without an embedding endpoint `space` is null, or what the last one made.
    """

    name: str
    version: int
    hash: str
    characters: int
    passages: int
    created_at: datetime
    updated_at: datetime
    space: str | None
    embedded: int


class WholeKnowledge(KnowledgeView, frozen=True, kw_only=True):
    """A knowledge base with its text."""

    text: str


class SavedKnowledge(KnowledgeView, frozen=True, kw_only=True):
    """What was kept. `changed` where it is a new version; the same text makes none."""

    changed: bool


class KnowledgeList(Struct, frozen=True, kw_only=True):
    """A page of knowledge bases by name, and how many there are in all."""

    knowledge: list[KnowledgeView]
    total: int


class ListKnowledge(Struct, frozen=True, kw_only=True):
    """Which knowledge bases."""

    limit: Annotated[int, Meta(ge=1, le=200, description="How many.")] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000, description="After how many.")] = 0


class SearchKnowledge(Struct, frozen=True, kw_only=True):
    """What is asked."""

    q: Annotated[str, Meta(max_length=20_000, description="A question, in anybody's words.")] = ""
    limit: Annotated[int, Meta(ge=1, le=50, description="How many passages.")] = 6


class PassageView(Struct, frozen=True, kw_only=True):
    """A passage; `title` is the headings that it stands under, `number` its place in the text."""

    number: int
    title: str
    text: str


class FoundPassages(Struct, frozen=True, kw_only=True):
    """The passages that say most of what is asked, best first.

    `note` says why they were looked for by words alone, where they would have been by meaning as well.
    """

    name: str
    version: int
    passages: list[PassageView]
    note: str = ""


@put(
    "/overture/v1/knowledge/{knowledge_name}",
    may=Scope.WRITE,
    takes=bytes,
    takes_media=_TEXT,
    gives=SavedKnowledge,
    tag="Agents",
    body_limit=MOST_BYTES,
)
async def put_knowledge(call: Call[bytes, None]) -> SavedKnowledge:
    """Save a knowledge base.

    The body is its text, Markdown or plain, in UTF-8. It takes the place of the text that was, at once and whole; it is
    cut into passages at its headings and paragraphs.
    """
    name = call.path["knowledge_name"]
    if not _NAME.fullmatch(name):
        raise Invalid(
            "knowledge_name_invalid",
            f"{name[:80]!r} is no name of a knowledge base.",
            field="knowledge_name",
            hint="Use small letters, digits, - and _, 64 at most.",
        )
    prepared = await asyncio.to_thread(save_knowledge.prepare, call.body)  # of a long one it takes a second
    saved = await call.parts.store.write(
        lambda tx: save_knowledge.save_knowledge(
            tx, call.workspace_id, name=name, prepared=prepared, now=call.now, ids=call.parts.ids
        )
    )
    call.parts.signals.wake("embeddings")
    return SavedKnowledge(**msgspec.structs.asdict(_view(saved.base)), changed=saved.changed)


@get("/overture/v1/knowledge", may=Scope.READ, asks=ListKnowledge, gives=KnowledgeList, tag="Agents", refusals=(400,))
async def list_knowledge(call: Call[None, ListKnowledge]) -> KnowledgeList:
    """List knowledge bases."""
    asked = call.query
    found, total = await call.parts.store.read(
        lambda tx: knowledge.list_page(tx, call.workspace_id, limit=asked.limit, offset=asked.offset)
    )
    return KnowledgeList(knowledge=[_view(one) for one in found], total=total)


@get(
    "/overture/v1/knowledge/{knowledge_name}",
    may=Scope.READ,
    gives=WholeKnowledge,
    tag="Agents",
    refusals=(404,),
)
async def get_knowledge(call: Call[None, None]) -> WholeKnowledge:
    """Get a knowledge base.

    With its whole text.
    """

    async def look(tx: Reading) -> tuple[Base, str]:
        base = await _get(tx, call)
        return base, await knowledge.get_text(tx, call.workspace_id, base)

    base, text = await call.parts.store.read(look)
    return WholeKnowledge(**msgspec.structs.asdict(_view(base)), text=text)


@get(
    "/overture/v1/knowledge/{knowledge_name}/search",
    may=Scope.READ,
    asks=SearchKnowledge,
    gives=FoundPassages,
    tag="Agents",
    refusals=(400, 404),
)
async def search_knowledge(call: Call[None, SearchKnowledge]) -> FoundPassages:
    """Search a knowledge base.

    As an agent does that is asked this: `q` is words and nothing else, no operator has a meaning in it.
    """
    need = NeedSearch(bases=(call.path["knowledge_name"],), query=call.query.q, whole=False, most=call.query.limit)
    base = await call.parts.store.read(lambda tx: _get(tx, call))
    _, found = await find_passages.find(
        need, workspace_id=call.workspace_id, store=call.parts.store, meaning=call.parts.meaning
    )
    shown = [PassageView(number=one.number, title=one.title, text=one.text) for one in found.passages]
    return FoundPassages(name=base.name, version=base.version, passages=shown, note=found.note)


@delete("/overture/v1/knowledge/{knowledge_name}", may=Scope.WRITE, status=204, tag="Agents", refusals=(404,))
async def remove_knowledge(call: Call[None, None]) -> Any:
    """Remove a knowledge base.

    Agents that name it answer without it from then on.
    """
    name = call.path["knowledge_name"]
    if not await call.parts.store.write(lambda tx: knowledge.remove(tx, call.workspace_id, name, call.now)):
        raise _unknown(name)
    return Answer(status=204)


async def _get(tx: Reading, call: Call[Any, Any]) -> Base:
    name = call.path["knowledge_name"]
    base = await knowledge.find(tx, call.workspace_id, name)
    if base is None:
        raise _unknown(name)
    return base


def _unknown(name: str) -> Unknown:
    return Unknown(
        "knowledge_unknown",
        f"There is no knowledge base {name[:80]!r} in this workspace.",
        field="knowledge_name",
        hint="GET /overture/v1/knowledge lists those there are.",
    )


def _view(base: Base) -> KnowledgeView:
    return KnowledgeView(
        name=base.name,
        version=base.version,
        hash=base.hash,
        characters=base.characters,
        passages=base.passages,
        created_at=base.created_at,
        updated_at=base.updated_at,
        space=base.space,
        embedded=base.embedded,
    )
