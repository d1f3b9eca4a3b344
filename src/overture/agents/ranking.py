"""Rank passages by what somebody asks, in plain words: the same order on every database.

A database's index only finds candidates; which of them answers is decided here. Words are compared without case and
accents and by their stems, found with the endings of English and German; where words are not divided by spaces, as in
Chinese or Thai, pairs of characters stand for them. A question's words count by how rare they are, in a title more.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import log
from typing import Final

from msgspec import Struct

from overture.domain.knowledge import Passage

LONGEST_QUERY: Final = 2000  # characters of a question that are read
MOST_WORDS: Final = 32  # of a question that are looked for
FAR_BEHIND: Final = 0.25  # of the best score: what has less shares a common word with the question, no more
_LONGEST_WORD: Final = 64  # characters; beyond it is no word but a key or a picture in letters
_SHORTEST_STEM: Final = 4

# Scripts that put no spaces between words: Thai and Lao, Burmese, Khmer, Kana, Han.
_UNDIVIDED: Final = "\u0e01-\u0ecf\u1000-\u109f\u1780-\u17d3\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_RUN: Final = re.compile(rf"[{_UNDIVIDED}]+|[^\W_{_UNDIVIDED}]+")
_IS_UNDIVIDED: Final = re.compile(rf"[{_UNDIVIDED}]")


def _words(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


# What a question may be made of without saying what it is about; folded as `words_of` does.
_STOPPED: Final = frozenset(
    _words(
        "a about after all also am an and any are as at be been before but by can could did do does doing for from get",
        "give go got had has have he her here hers him his how i if im in into is it its just know like me my need no",
        "not now of off on one only or our ours out please she so some tell than that the their them then there these",
        "they this those to too up us very want was we were what when where which who why will with would yes you your",
        "yours hello hi hey thanks thank s t re ll ve don doesn",
        "ab aber alle als also auch auf aus bei bin bis bitte da danke dann das dass dein deine dem den der des dich",
        "die dies diese dieser dir doch du durch ein eine einem einen einer eines er es etwas euch euer eure fur gibt",
        "habe haben hallo hat hatte ich ihm ihn ihr ihre ihren im ist ja kann kein keine konnen koennen man mein meine",
        "mich mir mit muss nach nein nicht noch nur ob oder ohne sein seine sich sie sind uber um und uns unser unsere",
        "unter vom von vor wann warum weil welche welcher wenn wer werden wie wieviel wir wird wo zu zum zur",
    )
)
# The longest that leaves a stem is taken off, again and again.
_ENDINGS: Final = sorted(
    _words(
        "ies ied ying ing ings ers er ed es e s y ly ment ments ation ations",
        "ungen ung en ern em n st t te ten lich liche lichen",
    ),
    key=len,
    reverse=True,
)
_OF_SHORT_WORDS: Final = frozenset({"ing", "ed", "s"})  # pay, paying; day, days

_IN_TITLE: Final = 1.6  # how much more a word counts in a title: an author named the passage by it
_BY_STEM: Final = 0.85  # and how much less where only the stem is the same
_BY_BEGINNING: Final = 0.6  # or one stem begins the other: "liefer" in "lieferzeit"
_SATURATES: Final = 1.2  # from what number on it counts little how often a word stands there
_BY_LENGTH: Final = 0.4  # how much a long passage is held to have every word by chance
_USUAL_LENGTH: Final = 80  # words of a passage
_IN_NONE: Final = 0.5  # how much a word counts for a share that no passage has
_BEFORE: Final = 0.35  # how much what was asked before counts beside what is asked now


def words_of(text: str) -> list[str]:
    """A text's words in order, folded: letters and digits alone, so that no index sees more in them than a word."""
    found: list[str] = []
    for run in _RUN.findall(_folded(text)):
        if _IS_UNDIVIDED.match(run):
            found += [run[at : at + 2] for at in range(max(1, len(run) - 1))]
        elif len(run) <= _LONGEST_WORD:
            found.append(run)
    return found


def _folded(text: str) -> str:
    """Case and accents taken off; umlauts become their vowels, which is how hasty people write them."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return apart if apart.isascii() else "".join(one for one in apart if not unicodedata.category(one).startswith("M"))


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """A word without its endings; short words as they are."""
    for ending in _ENDINGS:
        least = _SHORTEST_STEM - (ending in _OF_SHORT_WORDS)
        if len(word) - len(ending) >= least and word.endswith(ending):
            return stem(word[: -len(ending)])
    return word


def asked_words(query: str) -> list[str]:
    """The words of a question that say what it is about, each once, in order; none of `hi, what is it?`."""
    told = dict.fromkeys(word for word in words_of(query[-LONGEST_QUERY:]) if word not in _STOPPED)
    return [word for word in told if len(word) > 1 or not word.isascii() or word.isdigit()][:MOST_WORDS]


def stems_of(query: str, before: str = "") -> list[str]:
    """What an index is asked for: beginnings of words, any of which a passage must have."""
    asked = [*asked_words(query), *asked_words(before)]
    return list(dict.fromkeys(map(stem, asked)))[:MOST_WORDS]


def rank(
    passages: Sequence[Passage], query: str, *, before: str = "", total: int | None = None
) -> list[tuple[float, Passage]]:
    """The passages that say anything of what is asked, best first, each with its score.

    `before` is what was asked earlier, which helps a question like "and on Sundays?". `total` is how many passages the
    base has, where these are only candidates.
    """
    wanted = dict.fromkeys(asked_words(before), _BEFORE) | dict.fromkeys(asked_words(query), 1.0)
    counted = [_count(passage, wanted) for passage in passages]
    weights = _weights(wanted, counted, max(total or 0, len(passages)))
    scored = [(_score(one, weights), passage) for one, passage in zip(counted, passages, strict=True)]
    return sorted(((score, one) for score, one in scored if score > 0), key=lambda pair: (-pair[0], pair[1].number))


def share(passages: Sequence[Passage], query: str, *, total: int | None = None) -> dict[int, float]:
    """How much of what is asked each passage speaks of, by its number: from 0 to 1, whatever the base's size.

    A rare word is more of a question than one that many passages have. One that none has may be the very thing, or what
    people say on the way to it ("hi my name is"): it counts half of the rarest.
    """
    wanted = dict.fromkeys(asked_words(query), 1.0)
    counted = [_count(passage, wanted) for passage in passages]
    spoken_of = {word for one in counted for word in one.by_word}
    wanted = {word: n if word in spoken_of else _IN_NONE for word, n in wanted.items()}
    weights = _weights(wanted, counted, max(total or 0, len(passages)))
    asked = sum(weights.values()) or 1.0
    return {
        passage.number: sum(weights[word] * min(1.0, n) for word, n in one.by_word.items()) / asked
        for one, passage in zip(counted, passages, strict=True)
    }


class _Counted(Struct, frozen=True, kw_only=True):
    """How often the words that are looked for stand in a passage, and how many words it has."""

    by_word: dict[str, float]
    length: int


def _weights(wanted: Mapping[str, float], counted: Iterable[_Counted], whole: int) -> dict[str, float]:
    """What each word that is looked for counts, by how few of all the passages have it."""
    known: Counter[str] = Counter(word for one in counted for word in one.by_word)
    return {word: n * log(1 + (whole - known[word] + 0.5) / (known[word] + 0.5)) for word, n in wanted.items()}


def _count(passage: Passage, wanted: Iterable[str]) -> _Counted:
    words: dict[str, float] = {}
    stems: dict[str, float] = {}
    title, body = words_of(passage.title), words_of(passage.text)
    for weight, said in ((_IN_TITLE, title), (1.0, body)):
        for word in said:
            words[word] = words.get(word, 0.0) + weight
            stems[stem(word)] = stems.get(stem(word), 0.0) + weight
    counts = {word: n for word in wanted if (n := _times(word, words, stems)) > 0}
    return _Counted(by_word=counts, length=len(title) + len(body))


def _times(word: str, words: Mapping[str, float], stems: Mapping[str, float]) -> float:
    if word in words:
        return words[word]
    beginning = stem(word)
    if beginning in stems:
        return _BY_STEM * stems[beginning]
    if len(beginning) < _SHORTEST_STEM:
        return 0.0
    return _BY_BEGINNING * max((n for other, n in stems.items() if other.startswith(beginning)), default=0.0)


def _score(one: _Counted, weights: Mapping[str, float]) -> float:
    length = 1 - _BY_LENGTH + _BY_LENGTH * one.length / _USUAL_LENGTH
    return sum(weights[word] * n / (n + _SATURATES * length) for word, n in one.by_word.items())
