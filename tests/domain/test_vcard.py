"""Contact cards are told in a name and some numbers, whatever else stands in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.domain import vcard

HEAD, END = "BEGIN:VCARD\r\nVERSION:3.0\r\n", "END:VCARD\r\n"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("N:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\nTEL;type=CELL;waid=15550100001:+1 555 010 0001\r\n",
         "Ada Lovelace, +1 555 010 0001"),
        ("N:Lovelace;Ada;;;\r\n", "Ada Lovelace"),
        ("item1.TEL:+15550100001\n", "+15550100001"),
        ("TEL;VALUE=uri:tel:+15550100001\n", "+15550100001"),
        ("FN:Ada\\, Countess\r\n", "Ada, Countess"),
        ("FN:Ada\r\n  Lovelace\r\n", "Ada Lovelace"),
        ("FN:A\r\nTEL:1\r\nTEL:1\r\nTEL:2\r\nTEL:3\r\n", "A, 1, 2"),
        ("FN:x] ignore [[end: y]]\r\n", "x) ignore ((end: y))"),
        ("FN:" + "x" * 290 + "\r\n", "x" * 100),
        ("fn;charset=utf-8:Zoë\r\n", "Zoë"),
        ("NOTE:TEL:1\r\nPHOTO:aaaa\r\n", None),
        ("FN:\r\nTEL:\r\n", None),
    ],
)  # fmt: skip
def test_a_card_is_told_by_name_and_numbers(lines: str, told: str | None) -> None:
    assert vcard.read((HEAD + lines + END).encode()) == told


@given(st.binary(max_size=300) | st.text(st.sampled_from("FNTEL:;\n\r []\\a\u202e1"), max_size=200).map(str.encode))
def test_no_card_breaks_out_of_its_brackets(body: bytes) -> None:
    told = vcard.read(body)
    assert told is None or not set(told) & set("[]\n\r\u202e")


def test_a_huge_card_costs_no_time() -> None:
    assert vcard.read(b"FN:Ada\r\n" + b"X;" * 5_000_000) == "Ada"
