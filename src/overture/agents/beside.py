"""What stands beside a contact's own words: descriptions in brackets of what came with them.

The in road writes them before the words, `[image] like this one`. A contact may type such brackets too; that hides
nothing but what they typed.
"""

import re
from typing import Final

from overture.agents import words

_NO_ANSWER: Final = "from an ad|voice note|reaction|unsupported message|empty message"
_SHOWN: Final = f"image|sticker|audio|video|contact|document|file|location|{_NO_ANSWER}"


def _descriptions(kinds: str) -> re.Pattern[str]:
    return re.compile(rf"(?:\[(?:{kinds})\b[^\[\]]*\]\s*)+")


_NOT_ANSWERING: Final = _descriptions(_NO_ANSWER)
_ANY: Final = _descriptions(_SHOWN)


def written(text: str) -> str:
    """A contact's own words, without what stands beside them."""
    return answer(text, free=False)


def answer(text: str, *, free: bool) -> str:
    """What of a text can answer a question. To a `free` one a picture or a place is an answer by itself."""
    found = (_NOT_ANSWERING if free else _ANY).match(text)
    return text if found is None else text[found.end() :]


def is_reaction(text: str) -> bool:
    """Whether a text is a sign that was put to an earlier message, which asks for no answer."""
    return text.startswith("[reaction")


def is_unheard(text: str) -> bool:
    """Whether a text is a voice note of which nobody wrote down the words."""
    return "[voice note]" in text and not written(text).strip()


def cannot_hear(language: str) -> str:
    """What is said to a voice note that was not understood."""
    return words.CANNOT_HEAR.get(language[:2].lower(), words.CANNOT_HEAR["en"])
