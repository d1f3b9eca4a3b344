"""The table of errors as operators read it. `python -m tests.domain.error_table` writes it down again."""

from pathlib import Path
from typing import Final

from overture.domain.provider_errors import ERRORS, Effect, ErrorClass, ErrorFact, Stops

WRITTEN: Final = Path(__file__).resolve().parents[2] / "docs/errors.md"

_HEAD: Final = """# The provider's errors

What each of Twilio's error codes means here, whether it comes as the answer to a send, or later in a callback. This
page is written from `src/overture/domain/provider_errors.py`, and a test holds it true.

- **fails**: the message fails with this code, and is not sent again.
- **again**: the message goes again by itself, after the time given, as long as it is worth it; one that Twilio had
  taken at first, as often as given.
- **rests**: nothing more would get through. Where the send was refused, the message waits; where the code comes later,
  it has failed. The sender, or every sender of the account, rests until you have acted; it is tried again every ten
  minutes.
- **act**: this message fails, and others of its kind (to that country, with that template) will, until you act.
  Nothing rests.
- **unknown**: the message may have gone out. The provider's list is read before anything is sent again.

Answers without a code count by their kind: no connection, or 429, is *again*; a time-out, a broken connection, a 5xx or
an answer that cannot be read is *unknown*; 401, 403 and 404 *rest* the account. A code that is not here *fails*.

| code | what happens | what the caller reads | what to do |
|---|---|---|---|
"""

_EFFECTS: Final = {
    Effect.OPTED_OUT: "The contact's opt-out is recorded, unless they opted in after the message was sent.",
    Effect.WINDOW_CLOSED: "A template goes in its place, once, where the call or the agent has one.",
    Effect.UNREACHABLE: "This address gets nothing on this channel: correct it, or use another channel.",
    Effect.BLOCKED: "Do not write to them again.",
}


def table() -> str:
    """The page: a row for each code, in their order."""
    return _HEAD + "".join(_row(ERRORS[code]) for code in sorted(ERRORS))


def _row(fact: ErrorFact) -> str:
    effect = None if fact.effect is None else _EFFECTS[fact.effect]
    advice = " ".join(said for said in (fact.operator, effect) if said is not None)
    return f"| {fact.code} | {_happens(fact)} | {fact.sentence} | {advice} |\n"


def _happens(fact: ErrorFact) -> str:
    match fact.verdict:
        case ErrorClass.PERMANENT:
            return "fails"
        case ErrorClass.TRANSIENT:
            times = "once" if fact.tries == 1 else f"{fact.tries} times"
            return f"again, after {_length(fact.wait_seconds)}, {times}"
        case ErrorClass.UNKNOWN:
            return "unknown"
        case ErrorClass.MISCONFIGURED:
            return "act" if fact.stops is Stops.NOTHING else f"rests: {fact.stops.value}"


def _length(seconds: int) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


if __name__ == "__main__":
    WRITTEN.write_text(table(), encoding="utf-8")
