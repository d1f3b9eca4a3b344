"""Which country a number belongs to, as far as its digits tell, and whether rules allow to write there.

The digits of a number that nobody was given yet, such as +1 555…, tell only its calling code. It counts as the code's
first country: nearly all new ranges are given out there, and who allows the United States expects +1 555… to pass,
while who allows Jamaica alone does not. Where several countries share a range, each of them must be allowed, for it
cannot be told which one pays.
"""

from functools import lru_cache
from typing import Final

from overture.domain import numbers
from overture.domain.country_codes import MAIN, SHARED
from overture.domain.errors import NotAllowed
from overture.domain.rules import Applying, Scope

_LONGEST: Final = max(len(beginning) for beginnings in SHARED.values() for beginning in beginnings.split())


def _by_beginning() -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {str(code): (country,) for code, country in MAIN.items()}
    for names, beginnings in SHARED.items():
        known |= dict.fromkeys(beginnings.split(), tuple(names.split()))
    return known


_BY_BEGINNING: Final = _by_beginning()


def countries_of(address: str) -> tuple[str, ...]:
    """The countries that an E.164 number or a BSUID may belong to; none where it is no country's, as satellites are."""
    if not address.startswith("+") and numbers.is_bsuid(address):
        return (address[:2],)
    return _countries_of(address[1 : 1 + _LONGEST])


@lru_cache(maxsize=4096)
def _countries_of(digits: str) -> tuple[str, ...]:
    for length in range(len(digits), 0, -1):
        if (found := _BY_BEGINNING.get(digits[:length])) is not None:
            return found
    return ()


def allows(countries: list[str], address: str) -> bool:
    """Whether a list of countries lets an address be written to."""
    found = countries_of(address)
    return bool(found) and set(countries).issuperset(found)


def refuse(address: str, applying: Applying) -> NotAllowed | None:
    """Why an opening to an address is refused for its country; None where every rule that names countries allows it."""
    for scope, rules in applying.each:
        if rules.countries is not None and not allows(rules.countries, address):
            return NotAllowed(
                "country_not_allowed",
                f"{belongs(address)} {only(scope, rules.countries)}",
                field="to_number",
                hint="`overture rules set` changes what is allowed; an agent's rules stand in its specification.",
            )
    return None


def belongs(address: str) -> str:
    """A sentence that says where an address belongs."""
    match countries_of(address):
        case ():
            return "The number belongs to no country: it is a satellite's or a world-wide service's."
        case (country,):
            return f"The number belongs to {country}."
        case several:
            return f"The number may belong to {', '.join(several[:-1])} or {several[-1]}."


def only(scope: Scope, countries: list[str]) -> str:
    """A sentence that says what somebody's list allows."""
    if not countries:
        return f"The {scope.value} allows no country at all."
    return f"The {scope.value} allows only {', '.join(sorted(countries))}."
