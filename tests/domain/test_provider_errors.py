"""What the provider's codes mean is a table without gaps for those that anybody knows."""

import pytest

from overture.adapters.twilio.errors import failure_for
from overture.domain import provider_errors
from overture.domain.errors import Misconfigured, OutcomeUnknown, Permanent, Transient
from overture.domain.provider_errors import Effect, ErrorClass, Stops, describe
from tests.domain import error_table


@pytest.mark.parametrize(
    ("code", "verdict", "effect"),
    [
        (21211, ErrorClass.PERMANENT, Effect.UNREACHABLE),
        (21610, ErrorClass.PERMANENT, Effect.OPTED_OUT),
        (21611, ErrorClass.TRANSIENT, None),
        (20003, ErrorClass.MISCONFIGURED, None),
        (30003, ErrorClass.TRANSIENT, None),
        (30004, ErrorClass.PERMANENT, Effect.BLOCKED),
        (30007, ErrorClass.PERMANENT, None),
        (63016, ErrorClass.PERMANENT, Effect.WINDOW_CLOSED),
        (63018, ErrorClass.TRANSIENT, None),
        (30999, ErrorClass.PERMANENT, None),  # nobody told us of it
        (63999, ErrorClass.PERMANENT, None),
        (0, ErrorClass.PERMANENT, None),
    ],
)
def test_a_code_has_its_verdict(code: int, verdict: ErrorClass, effect: Effect | None) -> None:
    fact = describe(code)
    assert (fact.code, fact.verdict, fact.effect) == (code, verdict, effect)


@pytest.mark.parametrize("fact", provider_errors.ERRORS.values(), ids=lambda fact: str(fact.code))
def test_every_fact_says_what_its_readers_need(fact: provider_errors.ErrorFact) -> None:
    assert fact.sentence.endswith(".")
    match fact.verdict:
        case ErrorClass.TRANSIENT:
            assert fact.wait_seconds > 0
            assert fact.tries > 0
        case ErrorClass.MISCONFIGURED:
            assert fact.operator
        case ErrorClass.PERMANENT | ErrorClass.UNKNOWN:
            assert fact.stops is Stops.NOTHING


def test_the_page_of_errors_is_the_table() -> None:
    """Written anew by `python -m tests.domain.error_table`."""
    assert error_table.WRITTEN.read_text(encoding="utf-8") == error_table.table()


@pytest.mark.parametrize("code", [20500, 20503])
def test_a_failure_inside_the_provider_is_unknown_whatever_it_is_sent_with(code: int) -> None:
    assert isinstance(failure_for(400, code, None), OutcomeUnknown)
    assert describe(code).verdict is ErrorClass.UNKNOWN


@pytest.mark.parametrize("code", [11200, 11205, 11206, 11210, 11215, 12100, 12200, 12300])
def test_what_the_error_log_says_of_our_webhooks_is_the_operators_and_stops_nothing(code: int) -> None:
    fact = describe(code)
    assert (fact.verdict, fact.stops) == (ErrorClass.MISCONFIGURED, Stops.NOTHING)


def test_what_concerns_one_country_or_template_stops_no_sender() -> None:
    for code in (21408, 21608, 63015, 63041):
        failure = failure_for(400, code, None)
        assert isinstance(failure, Permanent)
        assert failure.hint


def test_a_server_error_is_unknown_whatever_its_code_says() -> None:
    assert isinstance(failure_for(500, 21211, "x"), OutcomeUnknown)
    assert isinstance(failure_for(503, None, None), OutcomeUnknown)
    assert isinstance(failure_for(429, 21211, "x"), Transient)
    assert isinstance(failure_for(401, None, None), Misconfigured)


def test_an_unknown_code_tells_what_the_provider_said() -> None:
    assert "Something new" in failure_for(400, 29999, "Something new").description


def test_a_failures_name_gives_its_code_back() -> None:
    assert provider_errors.code_in(failure_for(400, 21610, None).code) == 21610
    assert provider_errors.code_in("twilio_http_401") is None
    assert provider_errors.code_in("model_timeout") is None
