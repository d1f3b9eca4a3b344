"""When somebody counts as having agreed: grants, revocations, having written first, and what the call brings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from overture.domain.channel import Channel
from overture.domain.consent_rule import Known, Said, is_given, purpose_of, refuse, required, warnings
from overture.domain.rules import Applying, RequireConsent, Rules
from overture.domain.sending import KnownContact

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
SMS, WHATSAPP = Channel.SMS, Channel.WHATSAPP
OFF, WARN, ENFORCE = RequireConsent.OFF, RequireConsent.WARN, RequireConsent.ENFORCE


def said(*lines: str) -> tuple[Said, ...]:
    """Lines as `change channel purpose`, an hour apart."""
    told = []
    for n, line in enumerate(lines):
        change, channel, purpose = line.split()
        told.append(Said(change=change, channel=channel, purpose=purpose, at=NOON + timedelta(hours=n)))
    return tuple(told)


@pytest.mark.parametrize(
    ("lines", "purpose", "given"),
    [
        ((), None, False),
        (("grant sms marketing",), "marketing", True),
        (("grant sms any",), "marketing", True),
        (("grant any any",), "marketing", True),
        (("grant any marketing",), "marketing", True),
        (("grant whatsapp marketing",), "marketing", False),
        (("grant sms transactional",), "marketing", False),
        (("grant sms transactional",), "transactional", True),
        (("grant sms marketing",), "transactional", False),
        (("grant sms marketing",), None, True),
        (("grant sms marketing", "revoke sms marketing"), "marketing", False),
        (("grant sms marketing", "revoke any any"), "marketing", False),
        (("grant sms marketing", "revoke whatsapp any"), "marketing", True),
        (("grant sms marketing", "revoke sms transactional"), "marketing", True),
        (("grant sms any", "revoke sms marketing"), "marketing", False),
        (("grant sms any", "revoke sms marketing"), "transactional", True),
        (("grant any any", "revoke sms any"), None, False),
        (("revoke sms any", "grant sms marketing"), "marketing", True),
        (("grant sms marketing", "revoke sms any", "grant sms marketing"), "marketing", True),
        (("opt_in sms any",), None, True),
        (("opt_in sms any",), "transactional", True),
        (("opt_in sms any",), "marketing", False),
        (("opt_in whatsapp any",), None, False),
        (("opt_in sms any", "revoke sms any"), None, False),
    ],
)
def test_what_the_ledger_says(lines: tuple[str, ...], purpose: str | None, given: bool) -> None:
    assert is_given(Known(said=said(*lines)), SMS, purpose, None) is given


@pytest.mark.parametrize(
    ("heard", "lines", "purpose", "given"),
    [
        ({"sms": 5}, (), None, True),
        ({"sms": 5}, (), "transactional", True),
        ({"sms": 5}, (), "marketing", False),
        ({"whatsapp": 5}, (), None, False),
        ({"sms": -1}, ("revoke sms any",), None, False),
        ({"sms": 5}, ("revoke sms any",), None, True),
    ],
)
def test_who_wrote_to_us_may_be_answered_but_not_advertised_to(
    heard: dict[str, int], lines: tuple[str, ...], purpose: str | None, given: bool
) -> None:
    at = {channel: NOON + timedelta(hours=hours) for channel, hours in heard.items()}
    assert is_given(Known(said=said(*lines), heard=at), SMS, purpose, None) is given


@pytest.mark.parametrize(
    ("evidence", "lines", "given"),
    [
        ({"source": "form"}, (), True),
        ({"source": "form"}, ("revoke sms any",), True),
        ({"source": "form", "at": "2026-03-03T11:00:00Z"}, ("revoke sms any",), False),
        ({"source": "form", "at": "2026-03-03T13:00:00Z"}, ("revoke sms any",), True),
        ({"source": "form", "at": "2026-03-03T11:00:00Z"}, ("revoke whatsapp any",), True),
    ],
)
def test_what_the_call_brings_counts_unless_it_was_taken_back_since(
    evidence: dict[str, Any], lines: tuple[str, ...], given: bool
) -> None:
    assert is_given(Known(said=said(*lines)), SMS, "marketing", evidence) is given


@pytest.mark.parametrize(
    ("workspace", "agent", "sender", "strictest"),
    [
        (None, None, None, OFF),
        (WARN, None, None, WARN),
        (WARN, OFF, None, WARN),
        (OFF, OFF, ENFORCE, ENFORCE),
        (ENFORCE, WARN, OFF, ENFORCE),
    ],
)
def test_the_strictest_rule_applies(
    workspace: RequireConsent | None,
    agent: RequireConsent | None,
    sender: RequireConsent | None,
    strictest: RequireConsent,
) -> None:
    of_workspace, of_agent, of_sender = (Rules(require_consent=one) for one in (workspace, agent, sender))
    assert required(Applying(workspace=of_workspace, agent=of_agent, sender=of_sender)) is strictest


def test_only_one_word_is_a_purpose_of_the_ledger() -> None:
    assert purpose_of(" Marketing ") == "marketing"
    assert purpose_of("") is purpose_of("Answers for the salon.") is None


def test_an_opt_out_refuses_before_a_lack_of_consent_does() -> None:
    out = KnownContact(id="k", shard=1, address="+1", opted_out_at=NOON)
    for contact, lacks, code in ((out, ENFORCE, "recipient_opted_out"), (None, ENFORCE, "consent_missing")):
        refused = refuse(WHATSAPP, contact, lacks)
        assert refused is not None
        assert (refused.code, bool(refused.hint)) == (code, True)
    assert refuse(WHATSAPP, None, WARN) is None
    assert (warnings(OFF), warnings(WARN)) == ((), ("consent_missing",))
