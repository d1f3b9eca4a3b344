"""Free wishes to get no more messages, in languages besides English: whole clauses only, never a word inside one."""

import re
import unicodedata
from typing import Final

from overture.domain.wish_words import WORDS, WishWords

_MOST_BEFORE: Final = 8  # words of politeness; without a bound a long text of nothing else could be read for ever
_MOST_AFTER: Final = 6
_EDGES: Final = " \t\r\n\f\v.!?,;:'\"“”‘’«»()*_~-¡¿"
_CLAUSE: Final = re.compile(r"[.!?;\n¡¿]+")
_SPACES: Final = str.maketrans({"-": " ", ",": " ", "\u2019": "'", "\u2018": "'", "`": "'", "\u00b4": "'"})


def _pattern(words: WishWords) -> re.Pattern[str]:
    before = f"(?:(?:{'|'.join(words.before)}) ){{0,{_MOST_BEFORE}}}"
    after = f"(?: (?:{'|'.join(words.after)})){{0,{_MOST_AFTER}}}"
    return re.compile(f"{before}(?:{'|'.join(words.wishes)}){after}")


_PATTERNS: Final = {language: _pattern(words) for language, words in WORDS.items()}


def language_of(text: str) -> str | None:
    """The language in which one of a message's clauses is, as a whole, a wish to get no more messages.

    The caller bounds the text's length.
    """
    plain = _without_accents(text.translate(_SPACES))
    for clause in _CLAUSE.split(plain):
        said = " ".join(clause.strip(_EDGES).split())
        if not said:
            continue
        for language, pattern in _PATTERNS.items():
            if pattern.fullmatch(said):
                return language
    return None


def _without_accents(text: str) -> str:
    split = unicodedata.normalize("NFKD", text).casefold()
    return "".join(one for one in split if not unicodedata.combining(one))
