"""Segments are counted as carriers count them; a text is folded and cut without losing what it says."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overture.domain import segments
from overture.domain.channel import BODY_LIMIT, Channel
from overture.domain.segments import Encoding


@pytest.mark.parametrize(
    ("text", "encoding", "count"),
    [
        ("", Encoding.GSM_7, 1),
        ("a" * 160, Encoding.GSM_7, 1),
        ("a" * 161, Encoding.GSM_7, 2),
        ("a" * 306, Encoding.GSM_7, 2),
        ("a" * 307, Encoding.GSM_7, 3),
        ("€" * 80, Encoding.GSM_7, 1),
        ("€" * 81, Encoding.GSM_7, 2),
        ("a" * 152 + "€" + "a" * 152, Encoding.GSM_7, 3),  # the escape is not parted from its character
        ("éÉñÑ¿Ωß", Encoding.GSM_7, 1),
        ("`", Encoding.UCS_2, 1),
        ("ç", Encoding.UCS_2, 1),
        ("’" + "a" * 69, Encoding.UCS_2, 1),
        ("’" + "a" * 70, Encoding.UCS_2, 2),
        ("漢" * 134, Encoding.UCS_2, 2),
        ("漢" * 135, Encoding.UCS_2, 3),
        ("😀" * 35, Encoding.UCS_2, 1),
        ("😀" * 36, Encoding.UCS_2, 2),
        ("a" + "😀" * 66, Encoding.UCS_2, 2),
        ("😀" * 67, Encoding.UCS_2, 3),  # 33 a segment: a pair is not parted
    ],
)
def test_a_text_takes_so_many_segments(text: str, encoding: Encoding, count: int) -> None:
    assert (segments.encoding_of(text), segments.count(text)) == (encoding, count)


GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "|^€{}[]~\\\f"


def _counted_slowly(text: str) -> int:
    """The count by its definition, a character at a time."""
    if all(char in GSM + EXTENSION for char in text):
        units, one, many = [2 if char in EXTENSION else 1 for char in text], 160, 153
    else:
        units, one, many = [len(char.encode("utf-16-le")) // 2 for char in text], 70, 67
    if sum(units) <= one:
        return 1
    count, used = 1, 0
    for unit in units:
        if used + unit > many:
            count, used = count + 1, 0
        used += unit
    return count


@given(st.text(st.sampled_from("aé€~\n漢😀’"), max_size=50), st.integers(1, 12))
def test_the_count_is_the_definitions(text: str, times: int) -> None:
    assert segments.count(text * times) == _counted_slowly(text * times)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("It’s “here” – now…", 'It\'s "here" - now...'),
        ("a\u00a0b\u200bc\u2009d", "a bc d"),
        ("½ × ¼", "1/2 x 1/4"),
        ("Ｈｉ！", "Hi!"),
        ("• one\n• two", "- one\n- two"),
        ("plain", "plain"),
        ("It’s 😀", "It’s 😀"),  # UCS-2 anyway: nothing would be saved
        ("François’s", "François’s"),  # a name keeps its letters
    ],
)
def test_lookalikes_are_folded_where_that_saves(text: str, folded: str) -> None:
    assert segments.fold(text) == folded


@given(st.text())
def test_folding_twice_is_folding_once_and_never_costs_more(text: str) -> None:
    folded = segments.fold(text)
    assert segments.fold(folded) == folded
    assert folded == text or segments.encoding_of(folded) is Encoding.GSM_7


def test_a_text_is_cut_at_paragraphs_then_sentences_then_words() -> None:
    sentence = "This is a sentence of some words. "
    paragraph = sentence * 30  # 1,020 characters
    assert segments.split_body(f"{paragraph}\n\n{paragraph}", Channel.SMS) == (paragraph.strip(), paragraph.strip())
    first, second = segments.split_body(sentence * 60, Channel.SMS)
    assert first.endswith("words.")
    assert second.startswith("This")
    first, second = segments.split_body("word " * 400, Channel.SMS)
    assert first == ("word " * 320).strip()
    assert first.split() + second.split() == ["word"] * 400


def test_what_fits_is_one_part_and_nothing_is_none() -> None:
    assert segments.split_body("a" * 1600, Channel.WHATSAPP) == ("a" * 1600,)
    assert segments.split_body(" \n ", Channel.SMS) == ()
    assert segments.split_body("a" * 65_000, Channel.API) == ("a" * 65_000,)


FAMILY = "👩\u200d👩\u200d👧"


@given(
    st.lists(st.sampled_from(["word", " ", "\n\n", ". ", "x" * 900, "é\u0301", FAMILY, "👍🏽", "漢" * 500, "😀" * 500]))
)
@example(["x" * 1595, FAMILY, FAMILY])
@example(["😀" * 3000])
@example([" " * 5000, "a"])
@example(["a" * 1601])
@example(["\u0301" * 4000])
def test_cut_parts_fit_and_lose_nothing_but_white_space(pieces: list[str]) -> None:
    text = "".join(pieces)
    parts = segments.split_body(text, Channel.SMS)
    assert "".join("".join(parts).split()) == "".join(text.split())
    for part in parts:
        assert part
        assert part == part.strip()
        assert segments.utf16_units(part) <= BODY_LIMIT[Channel.SMS]
    if not text.startswith("\u0301"):
        assert not any(unicodedata.combining(part[0]) for part in parts)
