"""What came of the conversations of scripts."""

from msgspec import Struct


class Failed(Struct, frozen=True, kw_only=True):
    """Where a conversation did otherwise, and how. `number` is 0 where it did not come to a step."""

    number: int
    key: str
    sentence: str
    detail: str = ""
    hint: str | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one conversation."""

    name: str
    seconds: float
    failed: Failed | None = None
    transcript: tuple[str, ...] = ()


class Played(Struct, frozen=True, kw_only=True):
    """What came of one file: its conversations, or why it could not be read."""

    file: str
    outcomes: tuple[Outcome, ...] = ()
    wrong: str | None = None
    hint: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether all of it is as expected."""
        return self.wrong is None and all(one.failed is None for one in self.outcomes)


def explain(failed: Failed) -> list[str]:
    """What went otherwise, line by line."""
    where = f"step {failed.number} ({failed.key})" if failed.key != "the end" else "the end"
    lines = [f"--> {where}: {failed.sentence}" if failed.number else f"--> {failed.sentence}"]
    lines += failed.detail.splitlines()
    return [*lines, f"  {failed.hint}"] if failed.hint else lines
