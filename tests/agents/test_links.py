"""Links in a model's reply: only to hosts that the agent's author allows."""

import pytest

from overture.agents import replies


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Book at https://example.org/book?x=1.", "Book at https://example.org/book?x=1."),
        ("Book at example.org", "Book at example.org"),
        ("See www.example.org/a and https://shop.example.org.", "See www.example.org/a and https://shop.example.org."),
        ("Win at https://evil.test/x now", "Win at now"),
        ("Win at evil.test/x!", "Win at!"),
        ("https://example.org.evil.test/", ""),
        ("https://notexample.org", ""),
        ("https://example.org@evil.test/", ""),
        ("https://user@example.org/", ""),
        ("javascript://evil", ""),
        ("http://127.0.0.1/x", ""),
        ("HTTPS://EVIL.TEST", ""),
        ("(https://evil.test)", ""),
        ("ada@evil.test", ""),
        ("We open at 9.30 and close at 5.", "We open at 9.30 and close at 5."),
        ("It costs 3.50 EUR, i.e. less.", "It costs 3.50 EUR, i.e. less."),
        ("Fine.\n\nSee you!", "Fine.\n\nSee you!"),
    ],
)
def test_only_links_to_allowed_hosts_stand(text: str, left: str) -> None:
    assert replies.with_links_to(text, ["example.org"]) == left


@pytest.mark.parametrize(
    "text", ["ev\u200bil.test", "evil。test", "evil．test/a", "https://ev\u2060il.te\u00adst", "e\u200dvil.test"]
)
def test_a_link_that_hides_from_us_is_found_all_the_same(text: str) -> None:
    assert replies.with_links_to(replies.plain(text), ["example.org"]) == ""


def test_where_nothing_is_said_of_links_they_stand_and_where_none_is_allowed_none_does() -> None:
    assert replies.with_links_to("See evil.test", None) == "See evil.test"
    assert replies.with_links_to("See evil.test", []) == "See"


def test_no_text_takes_long() -> None:
    for hostile in ("a." * 5000, "a.b/" * 2500, "http://" * 1500, "@" * 10_000, "a-" * 5000):
        replies.with_links_to(hostile, ["example.org"])
