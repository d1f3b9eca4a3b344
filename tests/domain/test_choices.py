"""Choices are offered as each channel can: buttons, a list, or numbers, and never both a list and its numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.domain import choices
from overture.domain.channel import Channel
from overture.domain.choices import Picker
from overture.domain.message import Text, as_listed, shown
from overture.domain.sending import parts

SMS, WHATSAPP, API = Channel.SMS, Channel.WHATSAPP, Channel.API
DAYS = ("Monday", "Tuesday")
MANY = tuple(f"choice {n}" for n in range(1, 11))


@pytest.mark.parametrize(
    ("text", "options", "reads"),
    [
        ("Which day?", DAYS, "Which day?\n1 Monday\n2 Tuesday"),
        ("Which day?", ("Monday",), "Which day?"),
        ("Which day?", (), "Which day?"),
        ("Monday or Tuesday?", DAYS, "Monday or Tuesday?"),
        ("monday, TUESDAY?", DAYS, "monday, TUESDAY?"),
        ("Monday?", DAYS, "Monday?\n1 Monday\n2 Tuesday"),
        ("Mondays or Tuesdays?", DAYS, "Mondays or Tuesdays?\n1 Monday\n2 Tuesday"),
        ("Answer 1 to confirm or 2 to move it.", ("confirm", "move"), "Answer 1 to confirm or 2 to move it."),
        ("3 March: answer 1 for yes, 2 for no.", ("yes", "no"), "3 March: answer 1 for yes, 2 for no."),
        ("2 March: answer 1 to keep it, 2 to move.", ("keep", "shift"), "2 March: answer 1 to keep it, 2 to move."),
        ("A table for 2 at 1 pm?", ("Fine", "Other"), "A table for 2 at 1 pm?\n1 Fine\n2 Other"),
        ("How many?", ("2 people", "4 people"), "How many?\n1) 2 people\n2) 4 people"),
        ("Which?", MANY, "Which?\n" + "\n".join(f"{n} choice {n}" for n in range(1, 11))),
    ],
)
def test_choices_are_numbered_unless_the_text_offers_them_itself(
    text: str, options: tuple[str, ...], reads: str
) -> None:
    assert choices.numbered(text, options) == reads


@pytest.mark.parametrize(
    ("text", "options", "picker"),
    [
        ("Which day?", DAYS, Picker.QUICK_REPLY),
        ("Which day?", ("a", "b", "x" * 20), Picker.QUICK_REPLY),
        ("Which day?", ("a", "b", "x" * 21), Picker.LIST),
        ("Which day?", ("a", "b", "c", "d"), Picker.LIST),
        ("Which day?", MANY, Picker.LIST),
        ("Which day?", (*MANY, "one more"), None),
        ("Which day?", ("a", "b", "c", "x" * 24), Picker.LIST),
        ("Which day?", ("a", "b", "c", "x" * 25), None),
        ("x" * 1024, DAYS, Picker.QUICK_REPLY),
        ("x" * 1025, DAYS, None),
        ("Say {{1}}", DAYS, None),
        ("Which day?", ("a", "A"), None),
        ("Which day?", ("a", " "), None),
        ("Which day?", ("a",), None),
        (" ", DAYS, None),
    ],
)
def test_whatsapp_offers_what_fits(text: str, options: tuple[str, ...], picker: Picker | None) -> None:
    assert choices.picker(text, options) is picker


@pytest.mark.parametrize(
    ("channel", "text", "options", "sent"),
    [
        (SMS, "Which day?", DAYS, (Text(text="Which day?\n1 Monday\n2 Tuesday"),)),
        (SMS, "Which “day”?", DAYS, (Text(text='Which "day"?\n1 Monday\n2 Tuesday'),)),
        (API, "Which day?", DAYS, (Text(text="Which day?"),)),
        (WHATSAPP, "Which day?", DAYS, (Text(text="Which day?", options=DAYS),)),
        (WHATSAPP, "Which day?", ("a", "x" * 25), (Text(text="Which day?\n1 a\n2 " + "x" * 25),)),
        (WHATSAPP, "a " * 800 + "Which?", DAYS, (Text(text=("a " * 800).strip()), Text(text="Which?", options=DAYS))),
        (WHATSAPP, "", DAYS, (Text(text="1 Monday\n2 Tuesday"),)),
    ],
)
def test_choices_go_with_the_last_part_in_the_channels_way(
    channel: Channel, text: str, options: tuple[str, ...], sent: tuple[Text, ...]
) -> None:
    assert parts(Text(text=text, options=options), channel) == sent


def test_people_read_what_was_offered_and_no_listing_is_compared_with_it() -> None:
    assert shown(Text(text="Which day?", options=DAYS)) == "Which day?\n1 Monday\n2 Tuesday"
    assert as_listed(Text(text="Which day?", options=DAYS)) is None
    assert as_listed(Text(text="Which day?")) == "Which day?"


@given(st.text(max_size=60), st.lists(st.text(max_size=30), max_size=12).map(tuple))
def test_no_choices_break_a_message(text: str, options: tuple[str, ...]) -> None:
    for channel in (SMS, WHATSAPP):
        for part in parts(Text(text=text, options=options), channel):
            if isinstance(part, Text) and part.options:
                assert len(shown(part)) <= 1600
