"""Secrets of tools: an agent holds their names alone, and they are put in where a request leaves."""

import re
from collections.abc import Iterable
from typing import Final

SECRET: Final = re.compile(r"\{secret:([A-Z][A-Z0-9_]{0,63})\}")
ANY_REFERENCE: Final = re.compile(r"\{secret:[^{}]*\}?")
NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def names_in(texts: Iterable[str]) -> list[str]:
    """The names of the secrets that texts refer to, each once."""
    return list(dict.fromkeys(name for text in texts for name in SECRET.findall(text)))
