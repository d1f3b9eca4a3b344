"""The two forms of a mobile number in Brazil, Mexico and Argentina: written to at one, people answer as the other.

Brazil: with and without the 9 after the area code; Mexico: with and without the 1 after the country's code; Argentina:
with and without the 9 there.
"""

import re
from typing import Final

FORMS: Final = (
    (re.compile(r"\+55([1-9][0-9])9([0-9]{8})"), r"+55\1\2"),
    (re.compile(r"\+55([1-9][0-9])([0-9]{8})"), r"+55\g<1>9\2"),
    (re.compile(r"\+521([0-9]{10})"), r"+52\1"),
    (re.compile(r"\+52([0-9]{10})"), r"+521\1"),
    (re.compile(r"\+549([0-9]{10})"), r"+54\1"),
    (re.compile(r"\+54([0-9]{10})"), r"+549\1"),
)
OTHER_FORM: Final = "other_form"


def other_form(address: str) -> str | None:
    """The other form of an address; None where a country has one alone."""
    prefix = "whatsapp:" if address.startswith("whatsapp:") else ""
    number = address.removeprefix("whatsapp:")
    return next((prefix + pattern.sub(to, number) for pattern, to in FORMS if pattern.fullmatch(number)), None)
