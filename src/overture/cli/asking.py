"""Secrets for a command: from a file, from standard input, or asked for without an echo; never from an argument."""

import getpass
import sys
from pathlib import Path
from typing import Final

from overture.cli import telling

_LONGEST: Final = 4096
STANDARD_INPUT: Final = "-"


def is_typed() -> bool:
    """Whether a person sits at standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


def secret(what: str, source: str | None) -> str:
    """The secret that a file holds; with `-` or without a file, what standard input holds or a person types.

    Raises Stop.
    """
    if source is not None and source != STANDARD_INPUT:
        try:
            text = Path(source).expanduser().read_bytes()[:_LONGEST].decode()
        except UnicodeDecodeError:
            telling.stop(f"{source} holds no text.", status=telling.MISUSED)
    elif is_typed():
        text = getpass.getpass(f"{what}: ")
    else:
        text = sys.stdin.read(_LONGEST) if sys.stdin is not None else ""
    if not text.strip():
        telling.stop(f"{what} is empty.", hint="Give it in a file, or on standard input.", status=telling.MISUSED)
    return text.strip()
