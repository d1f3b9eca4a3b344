"""Two forms of one number are one contact; two numbers never are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.domain import variants


@pytest.mark.parametrize(
    ("number", "canonical"),
    [
        ("+5511987654321", "+5511987654321"),  # São Paulo, with the ninth digit
        ("+551187654321", "+5511987654321"),  # the same as WhatsApp still has it
        ("+553188887777", "+5531988887777"),  # Belo Horizonte
        ("+551133334444", "+551133334444"),  # a landline has no ninth digit
        ("+5215512345678", "+525512345678"),  # Mexico City, as WhatsApp has it
        ("+525512345678", "+525512345678"),
        ("+5491123456789", "+541123456789"),  # Buenos Aires, a mobile
        ("+541123456789", "+541123456789"),
        ("+5493511234567", "+543511234567"),  # Córdoba
        ("+15559876543", "+15559876543"),
        ("+442079460958", "+442079460958"),
        ("US.13491208655302741918", "US.13491208655302741918"),
        ("", ""),
    ],
)
def test_a_number_has_one_canonical_form(number: str, canonical: str) -> None:
    assert variants.canonical(number) == canonical


@pytest.mark.parametrize(
    ("number", "forms"),
    [
        ("+551187654321", {"+5511987654321", "+551187654321"}),
        ("+525512345678", {"+525512345678", "+5215512345678"}),
        ("+5491123456789", {"+541123456789", "+5491123456789"}),
        ("+551133334444", {"+551133334444"}),
        ("+15559876543", {"+15559876543"}),
    ],
)
def test_all_forms_of_a_number_are_known(number: str, forms: set[str]) -> None:
    assert set(variants.forms(number)) == forms


@given(st.from_regex(r"\+5[245][0-9]{8,12}", fullmatch=True))
def test_every_form_leads_to_the_same_key(number: str) -> None:
    key = variants.canonical(number)
    assert variants.canonical(key) == key
    assert number in variants.forms(number)
    assert variants.forms(number)[0] == key
    assert {variants.canonical(form) for form in variants.forms(number)} == {key}
