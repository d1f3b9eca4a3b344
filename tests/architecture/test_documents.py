"""Documents can be followed: their links lead somewhere, and decisions are numbered one after the other."""

import re

from tests.architecture import tree

LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")
DECISIONS = tree.ROOT / "docs" / "decisions"


def test_every_relative_link_leads_to_a_file() -> None:
    broken = [
        f"{tree.name(path)} -> {target}"
        for path in tree.text_files()
        if path.suffix == ".md"
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists()
    ]
    assert not broken


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in sorted(DECISIONS.glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_decision_has_context_decision_and_consequences() -> None:
    for path in DECISIONS.glob("*.md"):
        headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert [title for title in headings if title in {"Context", "Decision", "Consequences"}] == [
            "Context",
            "Decision",
            "Consequences",
        ], path.name
