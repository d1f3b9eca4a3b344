"""Knowledge: a named text of a workspace that its agents may look things up in, cut into passages.

A base is kept as its author wrote it; each change is a new version. What a turn used of it is told by base, version and
number of the passage.
"""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

KnowledgeName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]

MOST_BYTES: Final = 2 * 1024 * 1024  # of one base: a book; what is longer is a data base of its own
MOST_PASSAGES: Final = 10_000  # of one base; two mebibytes of prose make eighteen hundred
PASSAGE_LENGTH: Final = 1200  # characters: an answer with what belongs to it, and six of them fit into a request
TITLE_LENGTH: Final = 200  # characters of a passage's title, the headings that it stands under
WHOLE_LENGTH: Final = 6000  # characters of all bases together that a model reads whole, as every small shop's are
MOST_FOUND: Final = 6  # passages that a search gives a model
LEAST_SHARE: Final = 0.35  # of a question that a flow's answer must speak of, as measured (docs/decisions/0033)
MOST_BASES: Final = 5  # of one agent: each is looked through for each answer


class Passage(Struct, frozen=True, kw_only=True):
    """A part of a base that can be read by itself; `title` is the headings it stands under."""

    number: int
    title: str
    text: str


class Base(Struct, frozen=True, kw_only=True):
    """A knowledge base. `hash` is the SHA-256 of its text in hexadecimal.

    `embedded` of its passages have a vector in `space`, which is a model and how many numbers it gives.
    """

    id: str
    name: str
    version: int
    hash: str
    characters: int
    passages: int
    created_at: datetime
    updated_at: datetime
    space: str | None = None
    embedded: int = 0


class Cited(Struct, frozen=True, kw_only=True):
    """A passage as a turn uses it, and where it stands. It is kept with its text: the base may change meanwhile."""

    base: str
    version: int
    number: int
    title: str
    text: str


def space_of(model: str, numbers: int) -> str:
    """What vectors must have in common to be compared."""
    return f"{model}/{numbers}"
