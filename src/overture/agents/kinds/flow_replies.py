"""What a flow's turn sends: its messages, and what the open question offers."""

from collections.abc import Iterable
from typing import Final, Literal

from overture.agents import answers
from overture.domain.agent import Ask

MOST: Final = 2  # messages a turn; what a flow says beyond is joined into the first


def expects(ask: Ask | None) -> Literal["anything", "choice"]:
    """How soon an answer to the question may be taken for complete."""
    return "choice" if ask is not None and ask.type in {"yes_no", "choice"} else "anything"


def options(ask: Ask | None) -> tuple[str, ...]:
    """The labels that the question offers."""
    return tuple(answers.forms_of(ask)) if ask is not None and ask.type == "choice" and ask.offer else ()


def replies(said: Iterable[str]) -> tuple[str, ...]:
    """The texts of a turn as messages."""
    *first, last = [*said] or [""]
    if len(first) >= MOST:
        first = ["\n".join(first)]
    return tuple(text for text in (*first, last) if text)
