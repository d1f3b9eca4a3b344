"""The tables of docs/deliveries.md, made of the code: `python -m tests.reasons` writes them anew."""

from collections.abc import Iterable, Iterator
from typing import Final

from overture.domain.reasons import TABLE, Meaning
from tests.architecture import tree

PAGE: Final = tree.ROOT / "docs" / "deliveries.md"
BEGIN: Final = "<!-- made by python -m tests.reasons -->"
END: Final = "<!-- end -->"

_HEADINGS: Final = {
    Meaning.STAYS: "It is never sent",
    Meaning.WAITS: "It has not left yet",
    Meaning.TRY_FAILED: "A try did not get through",
}


def tables() -> str:
    """Every reason of ours with its sentence and what can be done, as the page shows them."""
    return "\n\n".join(_table(heading, _ours(meaning)) for meaning, heading in _HEADINGS.items())


def page(text: str) -> str:
    """The page with its tables as the code has them now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def _ours(meaning: Meaning) -> Iterator[tuple[str, ...]]:
    for fact in TABLE.values():
        if fact.meaning is meaning:
            yield f"`{fact.code}`", fact.sentence, fact.hint or ""


def _table(heading: str, rows: Iterable[tuple[str, ...]]) -> str:
    lines = [("reason", "means", "what you can do"), ("---", "---", "---"), *rows]
    cells = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)
    return "\n".join([f"### {heading}", "", *cells])


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
