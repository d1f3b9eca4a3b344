"""The node of a flow that answers from knowledge: what is looked up, and what becomes of what was found.

What is found was written by the operator, for people to read: it is said as plain text, cut at the end of a sentence.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from overture.agents import beside, replies, variables
from overture.agents.kinds.learned import Learned
from overture.domain.agent import Json, Search
from overture.domain.knowledge import Cited
from overture.domain.turn import NeedSearch, Searched

KEPT: Final = 3  # passages that a slot keeps, where the node does not say: a model tells the right one from them
KEPT_LENGTH: Final = 4000  # characters of that slot: three passages with their titles


def need(search: Search, heard: Iterable[str], values: Mapping[str, Json]) -> NeedSearch:
    """What is to be looked up: the node's query, or what the contact wrote."""
    if search.query is None:
        query = "\n".join(map(beside.written, heard))
    else:
        query = variables.fill_message(search.query, values, variables.names_in(search.query))
    most = search.most or (1 if search.slot is None else KEPT)
    return NeedSearch(bases=tuple(search.bases), query=query, whole=False, most=most, least=search.least)


def learn(search: Search, found: Searched, limit: int, known: Collection[str]) -> Learned:
    """What the flow learns of what was found: at most `limit` characters are said."""
    if search.slot is not None:
        text = _kept(found)
        return Learned(slot=search.slot, value=text or None, goto=search.found if text else search.missing)
    text = _said(found, limit, known)
    return Learned(said=text, goto=search.found if text else search.missing)


def _said(found: Searched, limit: int, known: Collection[str]) -> str:
    """What a contact reads of it; empty where there is nothing to say."""
    marked = replies.Marked(text="\n".join(one.text for one in found.passages))
    return next(iter(replies.parts(replies.spoken(marked, known, None), limit, 1)), "")


def _kept(found: Searched) -> str:
    """What a slot keeps of it: the passages with their titles, whole ones as far as there is room."""
    text = ""
    for told in map(_told, found.passages):
        if text and len(text) + len(told) + 2 > KEPT_LENGTH:
            break
        text = f"{text}\n\n{told}".strip()
    return text[:KEPT_LENGTH]


def _told(one: Cited) -> str:
    return f"{one.title}\n{one.text}" if one.title and one.title != one.text else one.text
