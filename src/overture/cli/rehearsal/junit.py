"""The results of `overture test` as JUnit's XML, which build servers read."""

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from overture.cli import telling
from overture.cli.rehearsal.outcome import Outcome, Played, explain


def write(file: Path, played: Sequence[Played]) -> None:
    """Write the results. Raises Stop."""
    try:
        file.write_text(render(played), encoding="utf-8")
    except OSError as refused:
        telling.stop(f"{file} cannot be written: {refused.strerror}.")


def render(played: Sequence[Played]) -> str:
    """The document: a suite for each file, a case for each conversation, and one for a file that could not be read."""
    suites = "\n".join(_suite(one) for one in played)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="overture test">\n{suites}\n</testsuites>\n'


def _suite(one: Played) -> str:
    failures = sum(outcome.failed is not None for outcome in one.outcomes)
    broken = one.wrong is not None
    cases = [_case(one.file, outcome) for outcome in one.outcomes]
    if one.wrong is not None:
        told = f"{one.wrong}\n{one.hint or ''}"
        cases.append(
            f"    <testcase classname={_quoted(one.file)} name={_quoted(one.file)}>"
            f"<error message={_quoted(one.wrong)}>{_text(told)}</error></testcase>"
        )
    seconds = sum(outcome.seconds for outcome in one.outcomes)
    head = (
        f'  <testsuite name={_quoted(one.file)} tests="{len(cases)}" failures="{failures}" errors="{int(broken)}" '
        f'time="{seconds:.3f}">'
    )
    return "\n".join([head, *cases, "  </testsuite>"])


def _case(file: str, outcome: Outcome) -> str:
    head = f'    <testcase classname={_quoted(file)} name={_quoted(outcome.name)} time="{outcome.seconds:.3f}"'
    if outcome.failed is None:
        return f"{head}/>"
    told = "\n".join([*outcome.transcript, *explain(outcome.failed)])
    return f"{head}><failure message={_quoted(outcome.failed.sentence)}>{_text(told)}</failure></testcase>"


def _text(text: str) -> str:
    """A text for XML, which has no place for most control characters, however they are written."""
    return escape("".join(char if char in "\n\t" or _is_allowed(char) else "\ufffd" for char in text))


def _quoted(text: str) -> str:
    return quoteattr("".join(char if _is_allowed(char) else " " for char in text))


def _is_allowed(char: str) -> bool:
    return char >= " " and not "\ud800" <= char <= "\udfff" and char not in "\ufffe\uffff"
