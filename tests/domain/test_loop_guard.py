"""A contact that is a program is known by how quickly, how often and how alike it answers; a person is not."""

from datetime import timedelta

import pytest

from overture.domain.loop_guard import ALIKE, MOST_REPLIES, QUICK_ANSWERS, find_loop
from overture.domain.turn import Author, Line
from tests.world import NOON

SENTENCE = "Thank you for your message, our team will be in touch about case {n}."
WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima"]


def talk(texts: list[str], *, seconds: float, between: float = 0) -> list[Line]:
    """We say something, and each text is the answer to it, so many seconds later."""
    lines, at = [], NOON - timedelta(seconds=(seconds + between) * len(texts))
    for text in texts:
        lines.append(Line(author=Author.AGENT, text="And then?", at=at))
        lines.append(Line(author=Author.CONTACT, text=text, at=at + timedelta(seconds=seconds)))
        at += timedelta(seconds=seconds + between)
    return lines


def different(count: int) -> list[str]:
    """Sentences of which none is like another."""
    return [f"I was thinking of {word} and also of something else" for word in WORDS[:count]]


@pytest.mark.promise("P26")
@pytest.mark.parametrize(
    ("lines", "looped"),
    [
        (talk(different(QUICK_ANSWERS), seconds=4), True),
        (talk(different(QUICK_ANSWERS - 1), seconds=4), False),
        (talk(different(QUICK_ANSWERS), seconds=5), False),  # slow enough for somebody who types fast
        (talk([*different(3), "yes", *different(3)], seconds=2), False),  # not in a row
        (talk(["yes", "1", "no", "Monday", "9am", "ok", "2"] * 2, seconds=2), False),  # a person at a menu
        (talk([SENTENCE.format(n=n) for n in range(ALIKE)], seconds=60), True),
        (talk([SENTENCE.format(n=n) for n in range(ALIKE - 1)], seconds=60), False),
        (talk([SENTENCE.format(n=1)] * ALIKE, seconds=300), False),  # over twenty minutes
        (talk([SENTENCE.format(n=1)] * ALIKE + ["Sorry, my phone sent that again and again"], seconds=60), False),
        (talk(["12345678901234567890"] * ALIKE, seconds=60), False),  # numbers are told apart by digits alone
        (talk(["ok"] * ALIKE * 2, seconds=60), False),
        ([Line(author=Author.CONTACT, text=text, at=NOON) for text in different(9)], False),  # a burst
        ([Line(author=Author.CONTACT, text="\u202e" + "x" * 10_000, at=NOON)] * ALIKE, True),
        ([], False),
    ],
)
def test_a_program_is_known_by_its_answers(lines: list[Line], looped: bool) -> None:
    why = find_loop(lines[:-1], lines[-1:], replies=0, now=NOON)
    assert (why is not None) is looped, why


@pytest.mark.promise("P26")
@pytest.mark.parametrize(("replies", "looped"), [(MOST_REPLIES - 1, False), (MOST_REPLIES, True)])
def test_nobody_asks_for_so_many_answers(replies: int, looped: bool) -> None:
    why = find_loop([], talk(["ok"], seconds=9), replies=replies, now=NOON)
    assert (why is not None) is looped
