"""Texts fall into passages at headings and paragraphs; whatever is brought is cut, or refused in words."""

import pytest

from overture.agents import passages
from overture.domain.errors import Invalid
from overture.domain.knowledge import MOST_BYTES, MOST_PASSAGES, PASSAGE_LENGTH, TITLE_LENGTH


def cut(text: str) -> list[tuple[str, str]]:
    """The passages as (title, text), their numbers held to be their places."""
    found = passages.cut(text)
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    assert all(0 < len(one.text) <= PASSAGE_LENGTH and len(one.title) <= TITLE_LENGTH for one in found)
    return [(one.title, one.text) for one in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One line.", [("", "One line.")]),
        ("Is it open?\n\nYes.", [("", "Is it open?\n\nYes.")]),
        ("# Hours\nNine to five.", [("Hours", "Nine to five.")]),
        ("Before.\n# Hours\nNine.", [("", "Before."), ("Hours", "Nine.")]),
        ("# Shop\n## Hours\nNine.\n## Prices\nTen.", [("Shop > Hours", "Nine."), ("Shop > Prices", "Ten.")]),
        ("# A\n### B\nx\n## C\ny\n# D\nz", [("A > B", "x"), ("A > C", "y"), ("D", "z")]),
        ("## Prices ##\nTen.", [("Prices", "Ten.")]),
        ("# C#\nA language.", [("C#", "A language.")]),
        (
            "# Open on Sundays\n# Closed on Mondays",
            [("Open on Sundays", "Open on Sundays"), ("Closed on Mondays",) * 2],
        ),
        ("# Shop\n## We open at nine", [("Shop > We open at nine", "We open at nine")]),
        ("#hashtag is no heading", [("", "#hashtag is no heading")]),
        ("    # code", [("", "# code")]),
        ("```\n# a comment\n```\n# Real\nx", [("", "```\n# a comment\n```"), ("Real", "x")]),
        ("~~~\n```\n# inside\n~~~", [("", "~~~\n```\n# inside\n~~~")]),
        ("```\n# never closed", [("", "```\n# never closed")]),
        ("#\n\n##\n", []),
        ("####### seven\nx", [("", "####### seven\nx")]),
    ],
)
def test_a_text_is_cut_at_its_headings(text: str, found: list[tuple[str, str]]) -> None:
    assert cut(text) == found


def test_paragraphs_stay_together_as_far_as_they_fit() -> None:
    found = cut("# Long\n" + "\n\n".join(f"{n} " + "word " * 100 for n in range(6)))
    assert [title for title, _ in found] == ["Long"] * 3
    assert [text[0] for _, text in found] == ["0", "2", "4"]


def test_a_long_paragraph_is_cut_where_a_reader_pauses() -> None:
    found = cut("This is a sentence. " * 200)
    assert len(found) > 3
    assert all(text.endswith("sentence.") and text.startswith("This") for _, text in found)


@pytest.mark.parametrize("unit", ["x", "é", "日本語。", "👨‍👩‍👧‍👦", "word ", "a,b;", "\t", "ا"])
def test_nothing_is_lost_of_a_line_as_long_as_a_book(unit: str) -> None:
    text = unit * (MOST_BYTES // len(unit.encode()))
    found = cut(text)
    assert sum(len("".join(body.split())) for _, body in found) == len("".join(text.split()))


def test_ten_thousand_headings_are_cut_and_one_more_is_refused() -> None:
    text = "".join(f"# {n}\n" for n in range(MOST_PASSAGES))
    assert len(cut(text)) == MOST_PASSAGES
    with pytest.raises(Invalid) as refused:
        cut(f"{text}# more\n")
    assert refused.value.code == "knowledge_too_many_passages"


def test_headings_that_are_a_text_give_a_title_that_can_be_shown() -> None:
    [(title, _)] = cut(f"# {'long ' * 1000}\n## Short\nx")
    assert title.endswith("> Short")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "knowledge_empty"),
        (b" \r\n\t\n", "knowledge_empty"),
        (b"\xef\xbb\xbf", "knowledge_empty"),
        (b"caf\xe9", "knowledge_unreadable"),
        (b"\xff\xfea\x00", "knowledge_unreadable"),
        (b"%PDF-1.7 \x80", "knowledge_unreadable"),
        (b"a\x00b", "knowledge_unreadable"),
        (b"\xed\xa0\x80", "knowledge_unreadable"),
        (b"x" * (MOST_BYTES + 1), "knowledge_too_long"),
    ],
)
def test_what_is_no_text_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        passages.read(raw)
    assert refused.value.code == code
    assert refused.value.hint


def test_line_ends_and_marks_of_editors_are_read_alike() -> None:
    assert passages.read(b"\xef\xbb\xbf# A\r\nx\ry") == "# A\nx\ny"
