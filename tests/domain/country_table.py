"""Builds the table of `country_codes.py` anew: `python -m tests.domain.country_table` prints its two dictionaries.

phonenumbers knows a territory's numbers as expressions of whole numbers. Here every beginning of five digits (three
after +1, which are its area codes) is filled up in several ways and asked for; what all its fillings agree on becomes
one line, as short as it can be. It takes a few minutes, and nothing runs it but people.
"""

import sys
from collections.abc import Iterator

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumber, region_code_for_number

WORLD = "001"  # what phonenumbers calls codes that belong to no country
FILLINGS = ("00000000000000", "11111111111111", "23456789012345", "55555555555555", "99999999999999", "70707070707070")


def main_countries() -> dict[int, str]:
    """The country that a calling code is first of all."""
    return {code: found[0] for code, found in COUNTRY_CODE_TO_REGION_CODE.items() if found[0] != WORLD}


def shared() -> dict[str, str]:
    """The beginnings of numbers that are, or may be, another country's than their code's first one."""
    told: dict[str, list[str]] = {}
    for code, found in sorted(COUNTRY_CODE_TO_REGION_CODE.items()):
        if len(found) > 1:
            known = _by_beginning(code, found)
            for beginning, countries in _fold(known, "", found[0], _depth(code)):
                told.setdefault(" ".join(sorted(countries)), []).append(f"{code}{beginning}")
    return {countries: " ".join(sorted(beginnings)) for countries, beginnings in sorted(told.items())}


def _depth(code: int) -> int:
    return 3 if code == 1 else 5


def _lengths(code: int, found: tuple[str, ...]) -> list[int]:
    if code == 1:
        return [10]  # seven digits are dialled inside an area only
    known = [PhoneMetadata.metadata_for_region(region) for region in found]
    return sorted({length for one in known if one and one.general_desc for length in one.general_desc.possible_length})


def _by_beginning(code: int, found: tuple[str, ...]) -> dict[str, set[str]]:
    depth, lengths = _depth(code), _lengths(code, found)
    known: dict[str, set[str]] = {}
    for n in range(10 ** (depth - 1), 10**depth):
        numbers = {int((str(n) + filling)[:length]) for filling in FILLINGS for length in lengths if length >= depth}
        asked = (region_code_for_number(PhoneNumber(country_code=code, national_number=number)) for number in numbers)
        if countries := {country for country in asked if country is not None}:
            known[str(n)] = countries
    return known


def _fold(known: dict[str, set[str]], beginning: str, main: str, depth: int) -> Iterator[tuple[str, set[str]]]:
    under = [countries for key, countries in known.items() if key.startswith(beginning)]
    union: set[str] = set().union(*under)
    if not union or union == {main}:
        return
    if len(union) == 1 or len(beginning) == depth:
        yield beginning, union
        return
    for digit in "0123456789":
        yield from _fold(known, beginning + digit, main, depth)


if __name__ == "__main__":
    sys.stdout.write(" ".join(f"{code}{country}" for code, country in sorted(main_countries().items())) + "\n")
    sys.stdout.writelines(f'    "{names}": "{beginnings}",\n' for names, beginnings in shared().items())
