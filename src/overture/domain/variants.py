"""Numbers that one person has in two forms.

Three countries changed how their mobile numbers are dialled from abroad, and WhatsApp, carriers and address books
never agreed on when: Brazil put a ninth digit before mobile numbers, Mexico dropped the 1 after its country code,
Argentina has a 9 there that belongs to calls to mobiles only. A contact answers from the other form than the one that
was written to; both must be one contact for routing, window and consent. What we write to stays the form that last
wrote to us: the canonical form is a key, not an address.
"""

import re
from typing import Final

_BRAZIL_EIGHT: Final = re.compile(r"\+55([1-9][0-9])([6-9][0-9]{7})")
_BRAZIL_NINE: Final = re.compile(r"\+55([1-9][0-9])9([6-9][0-9]{7})")
_MEXICO: Final = re.compile(r"\+521?([2-9][0-9]{9})")
_ARGENTINA: Final = re.compile(r"\+549?([1-8][0-9]{9})")


def canonical(number: str) -> str:
    """The key under which all forms of a number are one; any other address is its own.

    Brazil with the ninth digit (eight-digit numbers that begin with 2 to 5 are landlines and have none), Mexico
    without the 1, Argentina without the 9.
    """
    if not number.startswith(("+55", "+52", "+54")):
        return number
    if found := _BRAZIL_EIGHT.fullmatch(number):
        return f"+55{found[1]}9{found[2]}"
    if found := _MEXICO.fullmatch(number):
        return f"+52{found[1]}"
    if found := _ARGENTINA.fullmatch(number):
        return f"+54{found[1]}"
    return number


def forms(number: str) -> tuple[str, ...]:
    """Every form that a number is met in, the canonical one first."""
    key = canonical(number)
    if found := _BRAZIL_NINE.fullmatch(key):
        return key, f"+55{found[1]}{found[2]}"
    if found := _MEXICO.fullmatch(key):
        return key, f"+521{found[1]}"
    if found := _ARGENTINA.fullmatch(key):
        return key, f"+549{found[1]}"
    return (key,)
