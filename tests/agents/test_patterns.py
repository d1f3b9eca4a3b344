"""Patterns of authors: what fits them, and what is refused before a contact meets it."""

import pytest

from overture.agents import answers, lint, patterns
from overture.domain.agent import Ask, FlowSpec, Node


@pytest.mark.parametrize(
    ("pattern", "text", "kept"),
    [
        ("[a-z]{2}[0-9]{4}", " AB1234 ", "AB1234"),
        ("order ([0-9]{6})", "Order 123456", "123456"),
        ("order ([0-9]{6})", "my order 123456", None),
        (".*?([0-9]{6}).*", "my order 123456, thanks", "123456"),
        ("[0-9]+", "١٢٣", None),
        (r"\d+", "12a", None),
        ("(?:yes|no)", "YES", "YES"),
        ("é+", "ÉÉ", "ÉÉ"),
    ],
)
def test_an_answer_that_fits_is_kept(pattern: str, text: str, kept: str | None) -> None:
    assert answers.read(Ask(slot="x", type="pattern", pattern=pattern), text, "en") == kept


def test_no_pattern_explodes() -> None:
    assert patterns.fit("(a+)+b", "a" * 1000) is None
    assert patterns.fit("(a|a)*c", "a" * 1000) is None


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (None, "A question of type pattern needs its pattern."),
        ("", "A question of type pattern needs its pattern."),
        ("(", "The pattern cannot be read: missing ): (."),
        ("(?=x)", "The pattern cannot be read: invalid perl operator: (?=."),
        (r"(a)\1", r"The pattern cannot be read: invalid escape sequence: \1."),
        ("a" * 201, "The pattern cannot be read: it has more than 200 characters."),
        ("((a{1000}){1000}){1000}", "The pattern cannot be read: invalid repetition size: {1000}."),
    ],
)
def test_what_is_no_pattern_is_told_to_the_author(pattern: str | None, told: str) -> None:
    ask = Ask(slot="x", type="pattern", pattern=pattern)
    spec = FlowSpec(name="x", nodes={"start": Node(say="Which?", ask=ask, end="completed")})
    assert [one.sentence for one in lint.lint(spec) if one.where == "nodes.start.ask.pattern"] == [told]
