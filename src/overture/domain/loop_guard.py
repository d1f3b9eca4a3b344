"""The loop guard: when a contact looks like another program, which answers everything for ever.

Three signs, each enough by itself. Nobody reads an answer and types a sentence within seconds, again and again; nobody
sends the same sentence four times in ten minutes, whatever number or time it ends in; and twenty answers in ten minutes
are more than a person asks for. Short answers count in the last sign alone: who taps `1` or `yes` is quick and alike.
A burst is no sign: its lines come before our answer, not after it.
"""

import itertools
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from overture.domain.turn import Author, Line

WINDOW: Final = timedelta(minutes=10)
MOST_REPLIES: Final = 20  # in the window, on one pair, over all of its conversations
QUICK: Final = timedelta(seconds=5)  # after our reply was written: it has yet to travel, to be read, to be answered
QUICK_ANSWERS: Final = 6  # in a row
ALIKE: Final = 4  # times in the window: said once, and three times more
_A_SENTENCE: Final = 20  # characters: what takes a person longer than `QUICK` to type, and is not said again by chance

_NOT_WORDS: Final = re.compile(r"[\W\d_]+")


def find_loop(history: Sequence[Line], heard: Sequence[Line], *, replies: int, now: datetime) -> str | None:
    """Why what was heard is not to be answered, in a sentence for people; None where nothing speaks against it.

    `replies` is how many turns answered on this pair within the window, as far as they were counted.
    """
    lines = (*history, *heard)
    if replies >= MOST_REPLIES:
        return f"The agent answered {replies} times within ten minutes."
    if (quick := _quick_answers(lines)) >= QUICK_ANSWERS:
        return f"The contact answered {quick} times in a row within {QUICK.seconds} seconds, in sentences."
    if (alike := _times_said(lines, now - WINDOW)) >= ALIKE:
        return f"The contact wrote the same {alike} times within ten minutes."
    return None


def _quick_answers(lines: Sequence[Line]) -> int:
    """How many of the contact's last answers in a row came too quickly for a person."""
    count = 0
    for before, line in itertools.pairwise(lines):
        if line.author is not Author.CONTACT or before.author is Author.CONTACT:
            continue
        quick = line.at - before.at < QUICK and len(line.text.strip()) >= _A_SENTENCE
        count = count + 1 if quick else 0
    return count


def _times_said(lines: Sequence[Line], since: datetime) -> int:
    """How often the contact's last line was said since then, digits and signs apart; 0 for one too short to tell."""
    said = [_words(line.text) for line in lines if line.author is Author.CONTACT and line.at >= since]
    return said.count(said[-1]) if said and len(said[-1]) >= _A_SENTENCE else 0


def _words(text: str) -> str:
    return _NOT_WORDS.sub(" ", text[:1000]).strip().casefold()
