"""Texts of strangers on the operator's screen: no control characters, and no longer than there is room for."""

import os
from typing import Final

from rich.console import Console
from rich.table import Column

_IN_A_PIPE: Final = 500


def on_screen() -> Console:
    """Standard output for tables; what a text holds is shown, and never read as a colour or a style.

    Where it is no screen, a line is as long as it likes to be: who reads a pipe wants whole values.
    """
    screen = Console(highlight=False, markup=False, emoji=False)
    if not screen.is_terminal and not os.environ.get("COLUMNS"):
        screen.width = _IN_A_PIPE
    return screen


def for_ids(header: str) -> Column:
    """A column of ids, which are there to be copied: never cut, however narrow the screen."""
    return Column(header, no_wrap=True, overflow="fold", min_width=36)  # a UUID; the provider's ids are shorter


def fit(text: str, most: int) -> str:
    """A text in one line of at most so many characters; what would move the cursor becomes a space."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * most]).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"
