"""When it is plain that nobody answers at a provider's."""

import pytest

from overture.domain import breaker
from overture.domain.breaker import Health, Sign
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import Failure, Misconfigured, OutcomeUnknown, Permanent, Transient, Unreachable
from overture.domain.ports import Accepted

pytestmark = pytest.mark.promise("P9")


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (Accepted(sid="SM1", status=DeliveryStatus.QUEUED), Sign.ANSWERED),
        (Permanent("twilio_21211", "The number is not valid."), Sign.ANSWERED),
        (Transient("twilio_20429", "Too many requests."), Sign.ANSWERED),
        (Misconfigured("twilio_20003", "The credentials were refused."), Sign.REFUSED),
        (Unreachable("twilio_unreachable", "No connection came about."), Sign.SILENT),
        (OutcomeUnknown("twilio_no_answer", "The provider did not answer."), Sign.SILENT),
        (OutcomeUnknown("twilio_http_503", "It may have been taken."), Sign.SILENT),
    ],
)
def test_only_silence_speaks_against_a_provider(result: Accepted | Failure, says: Sign) -> None:
    assert breaker.read(result) is says


@pytest.mark.parametrize(
    ("signs", "opens"),
    [
        ("", False),
        ("....", False),
        (".....", True),
        ("....a.", False),
        ("....a.....", True),
        ("....r....", False),
        ("a.....", True),
    ],
)
def test_five_silences_in_a_row_open_it(signs: str, opens: bool) -> None:
    meaning = {".": Sign.SILENT, "a": Sign.ANSWERED, "r": Sign.REFUSED}
    health = Health()
    for sign in signs:
        health = breaker.after(health, meaning[sign])
    assert breaker.opens(health) is opens


@pytest.mark.parametrize(
    ("signs", "most"),
    [([], 25), ([Sign.ANSWERED], 100), ([Sign.ANSWERED, Sign.SILENT], 25), ([Sign.ANSWERED, Sign.REFUSED], 25)],
)
def test_few_are_under_way_until_somebody_answers(signs: list[Sign], most: int) -> None:
    health = Health()
    for sign in signs:
        health = breaker.after(health, sign)
    assert breaker.most_in_flight(health, 100) == most
    assert breaker.most_in_flight(health, 7) == 7
