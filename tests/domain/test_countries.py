"""Where a number belongs: as the library has it, and what is allowed where it cannot tell."""

import phonenumbers
import pytest
from phonenumbers import PhoneNumberType

from overture.domain.countries import allows, countries_of, refuse
from overture.domain.country_codes import COUNTRIES, MAIN
from overture.domain.rules import Applying, Rules
from tests.domain.country_table import main_countries


def test_the_table_knows_every_calling_code_and_country_that_the_library_knows() -> None:
    assert main_countries() == MAIN
    assert phonenumbers.SUPPORTED_REGIONS == COUNTRIES


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS - {"VA", "EH"}))
def test_the_librarys_own_examples_of_a_country_belong_to_it(region: str) -> None:
    for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            assert phonenumbers.region_code_for_number(example) in countries_of(number), number


@pytest.mark.parametrize(
    ("number", "countries"),
    [
        ("+12125550100", ("US",)),
        ("+15550100001", ("US",)),  # nobody has this area code: the calling code's first country
        ("+14165550100", ("CA",)),
        ("+18765550100", ("JM",)),
        ("+442079460000", ("GB",)),
        ("+447797123456", ("JE",)),
        ("+79161234567", ("RU",)),
        ("+77011234567", ("KZ",)),
        ("+390669812345", ("IT",)),
        ("+4917012345678", ("DE",)),
        ("+8613812345678", ("CN",)),
        ("+870773111632", ()),  # a satellite
        ("+883510000000", ()),
        ("+61851001234", ("AU", "CC", "CX")),
        ("US.1234567890", ("US",)),  # WhatsApp's ids begin with their country
        ("+999123456", ()),
        ("+", ()),
        ("", ()),
    ],
)
def test_a_number_belongs_where_its_first_digits_tell(number: str, countries: tuple[str, ...]) -> None:
    assert countries_of(number) == countries


@pytest.mark.parametrize(
    ("allowed", "number", "may"),
    [
        (["US"], "+15550100001", True),
        (["JM"], "+15550100001", False),
        (["US"], "+14165550100", False),
        (["AU"], "+61851001234", False),
        (["AU", "CC", "CX"], "+61851001234", True),
        (sorted(COUNTRIES), "+870773111632", False),
        ([], "+12125550100", False),
    ],
)
def test_what_a_list_of_countries_allows(allowed: list[str], number: str, *, may: bool) -> None:
    assert allows(allowed, number) is may


def test_each_list_must_allow_a_number() -> None:
    both = Applying(workspace=Rules(countries=["US", "DE"]), sender=Rules(countries=["DE"]))
    assert refuse("+4917012345678", both) is None
    refused = refuse("+12125550100", both)
    assert refused is not None
    assert (refused.code, str(refused)) == (
        "country_not_allowed",
        "The number belongs to US. The sender allows only DE.",
    )
    none = refuse("+870773111632", Applying(agent=Rules(countries=[])))
    assert "no country" in str(none)
    assert "allows no country at all" in str(none)
    assert "may belong to AU, CC or CX" in str(refuse("+61851001234", Applying(agent=Rules(countries=["AU"]))))
    assert refuse("+12125550100", Applying()) is None
