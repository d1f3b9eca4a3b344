"""What connecting and disconnecting show: each place as it is and as it would be, and why to think twice."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from overture.cli.screen import fit
from overture.domain.wiring import Change, Place, Setting

MOST: Final = 30  # places shown; who has a thousand numbers reads a page, not twenty
_WIDEST: Final = 200


def progress() -> Progress:
    """A bar on standard error, where that is a screen."""
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)


def setting(now: Setting) -> str:
    """Where a place sends what comes in, in a few words."""
    if now.application_sid:
        return f"application {now.application_sid}"
    method = "" if now.method.upper() == "POST" or not now.url else f" ({now.method})"
    return f"{now.url or 'nowhere'}{method}"


def place(kind: Place, addresses: Sequence[str], name: str, sid: str) -> str:
    """What a place is called."""
    if kind is not Place.SERVICE:
        return addresses[0] if addresses else sid
    return f"Messaging Service {name or sid} ({', '.join(addresses[:3])}{', ...' if len(addresses) > 3 else ''})"


def changes(screen: Console, which: Sequence[Change]) -> None:
    """Show changes, the first of them where they are many."""
    for change in which[:MOST]:
        line(screen, f"  {place(change.place, change.addresses, change.name, change.sid)}")
        line(screen, f"    now: {setting(change.now)}")
        if change.is_needed:
            line(screen, f"    then: {setting(change.becomes)}")
        notes(screen, change.warnings)
    if len(which) > MOST:
        line(screen, f"  ... and {len(which) - MOST} more; --only shows one.")
        notes(screen, sorted({warning for change in which[MOST:] for warning in change.warnings})[:MOST])


def notes(screen: Console, which: Iterable[str]) -> None:
    """Show what is worth a second thought."""
    for warning in which:
        screen.print(Text("    note: ", style="yellow").append(fit(warning, _WIDEST), style=""))


def line(screen: Console, text: str) -> None:
    """Show one line; what a stranger named moves no cursor."""
    indent = len(text) - len(text.lstrip())
    screen.print(Text(" " * indent + fit(text, _WIDEST)))
