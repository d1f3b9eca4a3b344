"""Look something up in knowledge bases: all of a few short ones, else the passages that say most of what is asked."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from overture.agents import nearness, ranking
from overture.domain.knowledge import WHOLE_LENGTH, Base, Cited, Passage
from overture.domain.turn import NeedSearch, Searched
from overture.store import knowledge
from overture.store.engine import Reading


class Looked(Struct, frozen=True, kw_only=True):
    """What was read of the bases that there are: all their passages, or those that may say something."""

    whole: bool
    bases: Sequence[tuple[Base, Sequence[Passage]]]


class Near(Struct, frozen=True, kw_only=True):
    """Passages that are near in meaning, nearest first; `note` says why there are none, where there should be."""

    passages: Sequence[tuple[Base, Passage]] = ()
    note: str = ""


NOTHING_NEAR: Final = Near()


async def look_up(tx: Reading, workspace_id: str, need: NeedSearch) -> Looked:
    """Read what `answer` chooses from: that takes no transaction."""
    bases = await knowledge.find_all(tx, workspace_id, need.bases)
    whole = need.whole and sum(base.characters for base in bases) <= WHOLE_LENGTH
    beginnings = [] if whole else ranking.stems_of(need.query, need.before)
    read: list[tuple[Base, Sequence[Passage]]] = []
    for base in bases:
        if whole:
            read.append((base, await knowledge.list_passages(tx, workspace_id, base)))
        else:
            read.append((base, await knowledge.list_candidates(tx, workspace_id, base, beginnings)))
    return Looked(whole=whole, bases=read)


def answer(looked: Looked, need: NeedSearch, near: Near = NOTHING_NEAR) -> Searched:
    """What an agent is told: passages in their order where it gets all of them, else the best first."""
    if looked.whole:
        return Searched(whole=True, passages=tuple(_cited(base, one) for base, read in looked.bases for one in read))
    scored = [(score, base, passage) for base, read in looked.bases for score, passage in _ranked(base, read, need)]
    found = sorted(scored, key=lambda one: -one[0])[: need.most]
    by_words = [_cited(base, one) for score, base, one in found if score >= ranking.FAR_BEHIND * found[0][0]]
    by_meaning = [_cited(base, one) for base, one in near.passages[: need.most]]
    places = {cited: number for number, cited in enumerate(dict.fromkeys((*by_words, *by_meaning)))}
    cited = list(places)
    order = nearness.fuse([places[one] for one in by_words], [places[one] for one in by_meaning])
    return Searched(passages=tuple(cited[number] for number in order[: need.most]), note=near.note)


def _ranked(base: Base, read: Sequence[Passage], need: NeedSearch) -> list[tuple[float, Passage]]:
    """The passages of a base that say enough of what is asked, best first."""
    ranked = ranking.rank(read, need.query, before=need.before, total=base.passages)
    if need.least <= 0:
        return ranked
    shares = ranking.share(read, need.query, total=base.passages)
    return [(score, one) for score, one in ranked if shares[one.number] >= need.least]


def _cited(base: Base, passage: Passage) -> Cited:
    return Cited(base=base.name, version=base.version, number=passage.number, title=passage.title, text=passage.text)
