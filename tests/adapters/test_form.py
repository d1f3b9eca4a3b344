"""Forms are read as urllib reads them, and never at a hostile sender's pace."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overture.adapters.twilio import form
from overture.domain.errors import Invalid

PIECES = [b"&", b"=", b"+", b"%", b"%2", b"%2B", b"%C3%A9", b"%ff", b"a", b"Body", b"\xff", b"\xc3\xa9", b";"]
RAW = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES)).map(b"".join))


@given(RAW)
@example(b"a")
@example(b"=&=&a=&=b&&")
@example(b"a=b=c&d;e=f")
@example(b"a=%zz%C3%28+%2b")
def test_a_form_is_read_as_urllib_reads_it(body: bytes) -> None:
    text = body.decode("utf-8", "replace")
    assert form.parse(body) == parse_qsl(text, keep_blank_values=True)


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=20))
def test_what_a_form_holds_comes_back(pairs: list[tuple[str, str]]) -> None:
    sendable = [(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in pairs]
    assert form.parse(urlencode(sendable).encode()) == [(name.decode(), value.decode()) for name, value in sendable]


def test_two_hundred_fields_are_read_and_one_more_is_refused() -> None:
    assert len(form.parse(b"&".join([b"a=1"] * 200))) == 200
    with pytest.raises(Invalid):
        form.parse(b"&".join([b"a=1"] * 201))
