"""What the pure parts decide: encoding, keywords, overrides, TwiML, signatures, configuration."""

from typing import Any

import pytest

from handset import config, signing
from handset.api.checks import is_callback
from handset.carrier import keywords, overrides, segments, twiml

LONG, TOLL_FREE, SHORT, WHATSAPP = "+15551234567", "+18885550100", "12345", "whatsapp:+15551234567"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),  # each takes two places
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 153, 3),  # an extended character is not cut in two
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("’" + "a" * 70, 2),  # one typographic character turns all of it into UCS-2
        ("👍" * 35, 1),
        ("👍" * 36, 2),
        ("`", 1),
    ],
)
def test_a_text_takes_as_many_segments_as_its_encoding_needs(text: str, count: int) -> None:
    assert segments.count(text) == count


@pytest.mark.parametrize(
    ("sender", "text", "blocked", "act", "answer"),
    [
        (LONG, "stop", False, "block", keywords.STOPPED),
        (LONG, "  Cancel \n", False, "block", keywords.STOPPED),
        (LONG, "REVOKE", False, "block", keywords.STOPPED),
        (LONG, "stop", True, "block", None),  # said once
        (LONG, "Stop it", False, "nothing", None),  # not the whole message
        (LONG, "yes", False, "nothing", None),  # an answer, while nothing is blocked
        (LONG, "yes", True, "lift", keywords.STARTED),
        (LONG, "info", False, "nothing", keywords.HELPED),
        (LONG, "", False, "nothing", None),
        (TOLL_FREE, "stop", False, "block", keywords.NETWORK_STOPPED),
        (TOLL_FREE, "quit", False, "nothing", None),
        (TOLL_FREE, "yes", True, "nothing", None),
        (TOLL_FREE, "unstop", True, "lift", keywords.NETWORK_STARTED),
        (SHORT, "stop", False, "nothing", None),  # configured one by one
        (WHATSAPP, "STOP", False, "nothing", None),
    ],
)
def test_a_keyword_means_what_its_sender_makes_of_it(
    sender: str, text: str, blocked: bool, act: str, answer: str | None
) -> None:
    meaning = keywords.read(text, sender=sender, blocked=blocked)
    assert (meaning.act, meaning.answer) == (act, answer)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/x", overrides.Overrides()),
        ("https://h/x#rc=3&rp=ct,rt,5xx", overrides.Overrides(retries=3, retried=frozenset({"ct", "rt", "5xx"}))),
        ("https://h/x#rp=all&rc=5", overrides.Overrides(retries=5, retried=overrides.ALL)),
        (
            "https://h/x#ct=100&rt=5000&tt=6000",
            overrides.Overrides(connect_seconds=0.1, read_seconds=5, total_seconds=6),
        ),
        ("https://h/x#rc=6&ct=1&rt=x&tt=99999&rp=nonsense", overrides.Overrides()),  # out of range keeps the default
        ("https://h/x#rc=-1&ct=²", overrides.Overrides()),
    ],
)
def test_a_fragment_sets_how_patiently_a_webhook_is_called(url: str, expected: overrides.Overrides) -> None:
    assert overrides.parse(url) == expected


@pytest.mark.parametrize(
    ("body", "kind", "replies", "error"),
    [
        ("<Response/>", "text/xml", [], None),
        ("", "", [], None),
        ("<Response><Message>hi</Message></Response>", "text/xml; charset=utf-8", ["hi"], None),
        ("<Response><Message><Body>a</Body><Body>b</Body></Message></Response>", "application/xml", ["ab"], None),
        ("<Response><Message>one</Message><Message>two</Message></Response>", "text/xml", ["one", "two"], None),
        ("<Response><Message></Message></Response>", "text/xml", [], None),
        ("hello", "text/plain", ["hello"], None),
        ("<Response><Message>", "text/xml", [], 12100),
        ("<html/>", "text/html", [], 12200),
        ("{}", "application/json", [], 12300),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><Response><Message>&a;</Message></Response>", "text/xml", [], 12100),
    ],
)
def test_an_answer_is_executed_or_reported(body: str, kind: str, replies: list[str], error: int | None) -> None:
    answer = twiml.parse(body.encode(), content_type=kind)
    assert ([reply.body for reply in answer.replies], answer.error_code) == (replies, error)


def test_an_answer_that_is_not_utf8_harms_nobody() -> None:
    assert twiml.parse(b"<Response><Message>\xff</Message></Response>", content_type="text/xml").replies[0].body == "�"


CALLER = {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675310", "Digits": "1234", "From": "+14158675310"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/myapp.php?foo=1&bar=2", "L/OH5YylLD5NRKLltdqwSvS0BnU="),
        ("https://example.com/myapp.php?foo=1&bar=2#rc=3&rp=all", "L/OH5YylLD5NRKLltdqwSvS0BnU="),
        ("https://user:word@example.com/myapp.php?foo=1&bar=2", "L/OH5YylLD5NRKLltdqwSvS0BnU="),
    ],
)
def test_the_signature_is_twilios(url: str, expected: str) -> None:
    params = {**CALLER, "To": "+18005551212"}.items()
    assert signing.signature(auth_token="12345", url=url, params=params) == expected


@pytest.mark.parametrize(
    ("url", "loose", "strict"),
    [
        ("https://example.com/status?x=1", True, True),
        ("http://example.com:8080/", True, True),
        ("http://localhost:8000/status", True, False),
        ("http://127.0.0.1:8000/status", True, False),
        ("http://10.1.2.3/", True, False),
        ("http://server/", True, False),
        ("http://[::1]:80/", True, False),
        ("https://my_host.example.com/", False, False),
        ("/relative", False, False),
        ("ftp://example.com/", False, False),
        ("https://", False, False),
        ("https://example.com:port/", False, False),
        ("http://[bad/", False, False),
        ("https://exa mple.com/", False, False),
        ("https://-x.example.com/", False, False),
    ],
)
def test_a_callback_url_is_judged_by_its_host(url: str, loose: bool, strict: bool) -> None:
    assert (is_callback(url, strict=False), is_callback(url, strict=True)) == (loose, strict)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"nubmers": []}, "nubmers"),
        ({"accounts": []}, "at least one"),
        ({"accounts": [{"sid": "AC1", "auth_token": "t"}]}, "accounts[0].sid"),
        ({"numbers": [{"address": "5551234"}, {"address": "x"}]}, "'x' is no address"),
        ({"numbers": [{"address": LONG, "inbound_url": "nowhere"}]}, "'nowhere' is no http"),
        ({"numbers": [{"address": LONG, "account": "AC" + "9" * 32}]}, "not among the accounts"),
        ({"services": [{"sid": "MG" + "1" * 32, "numbers": ["+15550000000"]}]}, "not among the numbers"),
        ({"delays": {"sent": -1}}, "delays.sent"),
        (["no", "object"], "object"),
        ({"faults": [{"kind": "earthquake"}]}, "faults[0].kind"),
        ({"faults": [{"kind": "refused"}]}, "needs a `code`"),
        ({"faults": ["429"]}, "faults[0]"),
        ({"clock": {"rate": -1}}, "clock.rate"),
        ({"clock": {"at": "2031-05-03T12:00:00"}}, "has no zone"),
        ({"buttons": [{"id": "Kill it", "label": "x", "url": "http://127.0.0.1/"}]}, "buttons[0].id"),
        ({"buttons": [{"id": "kill", "label": "", "url": "http://127.0.0.1/"}]}, "buttons[0].label"),
        ({"buttons": [{"id": "kill", "label": "x", "url": "http://example.com/"}]}, "not on this machine"),
        ({"buttons": [{"id": "kill", "label": "x", "url": "file:///etc"}]}, "no http"),
        ({"buttons": [{"id": "a", "label": "x", "url": "http://[::1]:1/"}] * 2}, "an id of its own"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_with_the_place(parts: Any, told: str) -> None:
    with pytest.raises(config.ConfigError) as refused:
        config.of(parts)
    assert told in str(refused.value)
