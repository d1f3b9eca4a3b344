"""Answers: what a contact's text means to a question, or that it is not understood.

Nothing is guessed. A fuzzy matcher calls "I dont know" a no and "not yes" a yes; here an answer counts only when its
words are known to mean it and none of the others takes it back, else the question is asked again.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Final, TypeAlias, assert_never

from overture.agents import beside, details, patterns, variables, words
from overture.domain.agent import Ask

Tokens: TypeAlias = tuple[str, ...]
Value: TypeAlias = str | int | float | bool

LONGEST: Final = 1000  # characters; more is a story, not a yes, a choice or a number
_LONGEST_SEARCHED: Final = 20_000  # characters searched for a phrase; bounds the work on a hostile body
_LONGEST_TAIL: Final = 15  # words; "yes" followed by more than that deserves a question, not an assumption
_MOST_DIGITS: Final = 15  # what a float holds exactly

_SIGNS: Final = "👍👎👌✅✔❌"
_TOKEN: Final = re.compile(rf"[^\W_]+|[{_SIGNS}]")
_APOSTROPHES: Final = dict.fromkeys(map(ord, "'’‘ʼ`´"))
_INVISIBLE: Final = dict.fromkeys([0xFE0E, 0xFE0F, 0x20E3, 0x200D, *range(0x1F3FB, 0x1F400)])  # variants, skin tones


def tokens(text: str) -> Tokens:
    """The words and meaningful signs of a text, in the form that tables and spoken forms are compared in."""
    plain = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).casefold().translate(_APOSTROPHES)
    return tuple(_TOKEN.findall(plain))


def says(text: str, phrases: Iterable[str]) -> bool:
    """Whether one of the phrases is the text, or stands in it as whole words."""
    spoken = tokens(text[:_LONGEST_SEARCHED])
    return any(_stands_in(tokens(phrase), spoken) for phrase in phrases)


def _stands_in(phrase: Tokens, spoken: Tokens) -> bool:
    width = len(phrase)
    return width > 0 and any(spoken[at : at + width] == phrase for at in range(len(spoken) - width + 1))


def understand(
    ask: Ask, texts: Sequence[str], language: str, payloads: Sequence[str] = (), *, today: date = date.min
) -> Value | None:
    """The value that a burst of texts gives to a question, None where it is not understood.

    The burst is read as one answer; failing that its texts are tried one by one from the last, as people correct
    themselves forwards. A text that takes something back ("wait", "not") ends the search. What a button carries goes
    before what it reads. `today` is the day that "tomorrow" follows.
    """
    if ask.type in ("choice", "yes_no"):
        for payload in reversed(payloads):
            if (carried := read(ask, payload, language, today=today)) is not None:
                return carried
    texts = [own for text in texts if (own := beside.answer(text, free=ask.type == "text")).strip()]
    joined = read(ask, "\n".join(texts), language, today=today)
    if joined is not None or len(texts) < 2:
        return joined
    hedges = _table(words.HEDGES, language)
    for text in reversed(texts):
        value = read(ask, text, language, today=today)
        if value is not None:
            return value
        if not hedges.isdisjoint((token,) for token in tokens(text[:LONGEST])):
            return None
    return None


def tapped(ask: Ask, payloads: Sequence[str]) -> str | None:
    """The choice whose own button was tapped last, None where none was."""
    if ask.type != "choice":
        return None
    labels = {tokens(label): label for label in forms_of(ask)}
    named = [labels[spoken] for payload in payloads if (spoken := tokens(payload)) and spoken in labels]
    return named[-1] if named else None


def read(ask: Ask, text: str, language: str, *, today: date = date.min) -> Value | None:
    """The value that one text gives to a question, None where it is not understood."""
    if ask.type != "text" and len(text) > LONGEST:
        return None
    match ask.type:
        case "text":
            return free_text(text, ask.max_length)
        case "yes_no":
            return yes_no(text, language)
        case "choice":
            return choice(text, forms_of(ask), language, weak=ask.weak)
        case "number":
            return number(text, language, low=ask.min, high=ask.max, whole=ask.whole)
        case "date" | "time" | "datetime":
            return details.moment(ask, text, language, today)
        case "phone":
            return details.phone(text, ask.country)
        case "email":
            return details.email(text)
        case "pattern":
            return None if ask.pattern is None else patterns.fit(ask.pattern, text)
        case _ as never:
            assert_never(never)


def free_text(text: str, max_length: int) -> str | None:
    """The text on one line, cut to `max_length` characters; None where it holds no letter and no digit."""
    cleaned = variables.clean(text, max_length)
    return cleaned if any(char.isalnum() for char in cleaned) else None


def yes_no(text: str, language: str) -> bool | None:
    """Whether a text means yes or no. Every word must be known to mean it, or follow a plain yes or no harmlessly.

    A question mark makes any of it a question back.
    """
    spoken = tokens(text)
    table = _yes_no_table(language)
    found, rest = _cover(spoken, table)
    meanings = {table[phrase] for phrase in found} - {None}
    if len(meanings) != 1 or "?" in text:
        return None
    if not rest:
        return meanings == {True}
    return _strong(spoken, found, rest, language)


def _strong(spoken: Tokens, found: list[Tokens], rest: Tokens, language: str) -> bool | None:
    """A plain yes or no at the beginning stands, whatever follows, unless that hedges or is a story."""
    fillers = _table(words.FILLERS, language)
    first = next((phrase for phrase in found if phrase not in fillers), ())
    lead = sum((len(phrase) for phrase in found[: found.index(first)]), 0)
    hedged = not _table(words.HEDGES, language).isdisjoint((token,) for token in rest)
    if hedged or len(spoken) > _LONGEST_TAIL or spoken[lead : lead + len(first)] != first:
        return None
    if first in _table(words.STRONG_YES, language):
        return True
    return False if first in _table(words.STRONG_NO, language) else None


def _yes_no_table(language: str) -> dict[Tokens, bool | None]:
    table: dict[Tokens, bool | None] = dict.fromkeys(_table(words.FILLERS, language), None)
    table |= dict.fromkeys(_table(words.STRONG_YES, language) | _table(words.YES, language), True)
    return table | dict.fromkeys(_table(words.STRONG_NO, language) | _table(words.NO, language), False)


def forms_of(ask: Ask) -> dict[str, list[Tokens]]:
    """Each label of a choice with every way to say it, the label among them."""
    match ask.choices:
        case None:
            return {}
        case list(labels):
            return {label: [tokens(label)] for label in labels}
        case choices:
            return {label: [tokens(label), *map(tokens, spoken)] for label, spoken in choices.items()}


def choice(
    text: str, forms: Mapping[str, Sequence[Tokens]], language: str, *, weak: Collection[str] = ()
) -> str | None:
    """The one label that a text names, by a spoken form or by its position; None for none, several, or a "not".

    A `weak` label does not count beside another one.
    """
    meant: dict[Tokens, set[str]] = {}
    for label, spoken in forms.items():
        for form in spoken:
            if form:
                meant.setdefault(form, set()).add(label)
    found, rest = _cover(tokens(text), meant)
    named = set().union(*(meant[phrase] for phrase in found))
    named = named.difference(weak) or named
    if len(named) > 1 or not _frozen(words.NEGATORS, language).isdisjoint(rest):
        return None
    labels = list(forms)
    place = position(rest, len(labels), language)
    at_place = {labels[place - 1]} if place is not None else set()
    return next(iter(named | at_place)) if len(named | at_place) == 1 else None


def position(spoken: Tokens, count: int, language: str) -> int | None:
    """The position (from 1) that words name and nothing else: "2", "option 2", "the second one"; None otherwise."""
    numbers, ordinals = _merged(words.NUMBERS, language), _merged(words.ORDINALS, language)
    around = _frozen(words.AROUND_POSITION, language)
    places = set()
    for token in spoken:
        if token in ordinals:
            places.add(count if ordinals[token] == words.LAST else ordinals[token])
        elif token.isdecimal() and len(token) <= 2:
            places.add(int(token))
        elif token in numbers and token not in around:
            places.add(numbers[token])
        elif token not in around:
            return None
    if not places and spoken and spoken[-1] == "one" and around.issuperset(spoken[:-1]):
        # "one" is a position by itself or after "option", but not in "the one"
        places = (
            {1} if len(spoken) == 1 or spoken[-2] in {"option", "number", "no", "nr", "choice", "answer"} else set()
        )
    place = next(iter(places)) if len(places) == 1 else 0
    return place if 1 <= place <= count else None


def number(
    text: str, language: str, *, low: float | None = None, high: float | None = None, whole: bool = False
) -> int | float | None:
    """The one number that a text holds, in digits or words, within its bounds; None for none or several."""
    plain = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).casefold()
    digits, others = [], []
    for chunk in plain.split():
        if any(char.isdigit() for char in chunk):
            digits.append(_numeral(chunk, language))
        else:
            others.append(chunk)
    spoken = tokens(" ".join(others))
    spoilers = _frozen(words.NEGATORS, language) | _frozen(words.QUANTIFIERS, language)
    table = {tuple(word.split()): value for word, value in _merged(words.NUMBERS, language).items()}
    single = _merged(words.WHOLE_ONLY, language)
    found, rest = _cover(spoken, {**table, **dict.fromkeys(_table(words.FILLERS, language), None)})
    counted = [(phrase, table[phrase]) for phrase in found if phrase in table]
    in_words = {float(value) for phrase, value in counted if phrase not in {(word,) for word in single}}
    alone = [token for token in (*rest, *(word for phrase, _ in counted for word in phrase)) if token in single]
    if not digits and not in_words and len(alone) == 1 and len(counted) + len(rest) == 1:
        in_words = {float(single[alone[0]])}
    elif not spoilers.isdisjoint(spoken):
        return None
    values = {*digits, *in_words}
    value = values.pop() if len(values) == 1 else None
    if value is None or not _within(value, low, high) or (whole and not value.is_integer()):
        return None
    return int(value) if value.is_integer() else value


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _numeral(chunk: str, language: str) -> float | None:
    """One word with digits as a number, None where it is something else: a time, a date, a range, "2nd"."""
    point, comma = words.SEPARATORS.get(language[:2].lower(), words.SEPARATORS["en"])
    bare = chunk.strip("()[]\"'!?;:,.~#€$£").removesuffix("%").removesuffix("€")
    bare = bare.replace("−", "-")
    pattern = rf"[+-]?(?:\d{{1,3}}(?:{re.escape(comma)}\d{{3}})+|\d+)(?:{re.escape(point)}\d+)?"
    if len(bare) > _MOST_DIGITS or not re.fullmatch(pattern, bare):
        return None
    return float(bare.replace(comma, "").replace(point, "."))


def _cover(spoken: Tokens, phrases: Collection[Tokens]) -> tuple[list[Tokens], Tokens]:
    """The phrases that stand in a text, the longest first at each place, and the words that belong to none."""
    longest = max(map(len, phrases), default=0)
    found: list[Tokens] = []
    rest: list[str] = []
    at = 0
    while at < len(spoken):
        widths = range(min(longest, len(spoken) - at), 0, -1)
        phrase = next((spoken[at : at + width] for width in widths if spoken[at : at + width] in phrases), None)
        if phrase is None:
            rest.append(spoken[at])
            at += 1
        else:
            found.append(phrase)
            at += len(phrase)
    return found, tuple(rest)


def _languages(language: str) -> tuple[str, ...]:
    own = language[:2].lower()
    return (own, "en") if own in words.LANGUAGES and own != "en" else ("en",)


def _table(tables: Mapping[str, Iterable[Tokens]], language: str) -> frozenset[Tokens]:
    return frozenset(phrase for name in _languages(language) for phrase in tables[name])


def _frozen(tables: Mapping[str, frozenset[str]], language: str) -> frozenset[str]:
    return frozenset().union(*(tables[name] for name in _languages(language)))


def _merged(tables: Mapping[str, Mapping[str, int]], language: str) -> dict[str, int]:
    return {word: value for name in reversed(_languages(language)) for word, value in tables[name].items()}
