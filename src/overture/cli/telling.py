"""What a command says when it does not work: one sentence and what to do, on standard error; never a traceback."""

import asyncio
import contextlib
import os
import sys
import traceback
from collections.abc import Coroutine, Iterator
from typing import Any, Final, Never, TypeVar

T = TypeVar("T")

WRONG: Final = 1  # it was understood and did not work
MISUSED: Final = 2  # it was not understood: an option, a setting, a file


class Stop(Exception):
    """The command cannot go on; the text is for the person at the keyboard."""

    def __init__(self, sentence: str, *, hint: str | None = None, status: int = WRONG) -> None:
        super().__init__(sentence)
        self.hint: Final = hint
        self.status: Final = status


def stop(sentence: str, *, hint: str | None = None, status: int = WRONG) -> Never:
    """End the command with a sentence. Raises Stop."""
    raise Stop(sentence, hint=hint, status=status)


def whole_number(option: str, text: str, *, least: int, most: int) -> int:
    """The number that an option's text writes. Raises Stop."""
    if text.isascii() and text.isdecimal() and len(text) <= 9 and least <= int(text) <= most:
        return int(text)
    raise Stop(f"{option}: {text!r} is no whole number from {least} to {most}.", status=MISUSED)


def number(option: str, text: str, *, least: float, most: float) -> float:
    """The number, whole or not, that an option's text writes. Raises Stop."""
    bare = text.replace(".", "", 1)
    if text.isascii() and bare.isdecimal() and len(text) <= 12 and least <= float(text) <= most:
        return float(text)
    raise Stop(f"{option}: {text!r} is no number from {least:g} to {most:g}.", status=MISUSED)


@contextlib.contextmanager
def in_sentences() -> Iterator[None]:
    """Turn whatever is raised inside into a sentence and an exit status."""
    try:
        yield
    except Stop as told:
        _leave(str(told), told.hint, told.status)
    except KeyboardInterrupt:
        _leave("Interrupted.", None, 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        sys.exit(WRONG)
    except Exception as error:  # noqa: BLE001 - the last door: what nobody expected is told as well, and not as a traceback
        _leave(*_told(error))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end, on the faster event loop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _told(error: Exception) -> tuple[str, str | None, int]:
    from overture.domain.errors import Invalid, Problem
    from overture.settings import SettingsError

    match error:
        case SettingsError():
            return str(error), None, MISUSED
        case Problem():
            return error.description, error.hint, MISUSED if isinstance(error, Invalid) else WRONG
        case OSError(filename=str(name), strerror=str(why)):
            return f"{name}: {why}.", None, WRONG
        case _:
            if os.environ.get("OVERTURE_LOG_LEVEL", "").lower() == "debug":
                traceback.print_exception(error)
            hint = "This is a fault of Overture. OVERTURE_LOG_LEVEL=debug shows where it happened."
            return f"Unexpected: {type(error).__name__}: {error}", hint, WRONG


def _leave(sentence: str, hint: str | None, status: int) -> Never:
    lines = sentence if hint is None else f"{sentence}\n{hint}"
    print(f"overture: {lines}", file=sys.stderr)
    sys.exit(status)
