"""A signature is what Twilio's own library says it is, and nothing that is sent makes the check fall over."""

import random
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from overture.adapters.twilio import signature

TOKEN = "12345"
CALL = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
]
REPEATED = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
OTHER_CALLER = [(name, "+14158675310" if name in ("Caller", "From") else value) for name, value in CALL]


@pytest.mark.parametrize(
    ("url", "pairs", "signed"),
    [
        ("https://example.com/myapp.php?foo=1&bar=2", OTHER_CALLER, b"L/OH5YylLD5NRKLltdqwSvS0BnU="),
        ("https://mycompany.com/myapp.php?foo=1&bar=2", CALL, b"RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com:443/myapp.php?foo=1&bar=2", CALL, b"kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("http://mycompany.com:80/myapp.php?foo=1&bar=2", CALL, b"0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", CALL, b"Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        ("https://mycompany.com/myapp.php?foo=1&bar=2", REPEATED, b"IK+Dwps556ElfBT0I3Rgjkr1wJU="),
    ],
)
def test_the_published_examples_have_their_signatures(url: str, pairs: list[tuple[str, str]], signed: bytes) -> None:
    assert signature.expected(TOKEN, url, pairs) == signed


def test_a_json_body_is_signed_by_its_hash_in_the_url() -> None:
    digest = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    url = f"https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256={digest}"
    body, signed = b'{"property": "value", "boolean": true}', "a9nBmqA0ju/hNViExpshrM61xv4="
    assert signature.valid_json(TOKEN, url, body, signed)
    assert not signature.valid_json(TOKEN, url, body + b" ", signed)
    assert not signature.valid_json(TOKEN, "https://mycompany.com/myapp.php?foo=1&bar=2", body, signed)


@pytest.mark.parametrize(
    ("url", "tried"),
    [
        ("https://a.example/hook", ("https://a.example/hook", "https://a.example:443/hook")),
        ("http://a.example?x=/y", ("http://a.example?x=/y", "http://a.example:80?x=/y")),
        ("https://a.example:8443/h#rc=3", ("https://a.example:8443/h", "https://a.example/h")),
        ("https://ada:secret@a.example/h", ("https://a.example/h", "https://a.example:443/h")),
        ("https://[::1]/h", ("https://[::1]/h", "https://[::1]:443/h")),
        ("https://[::1]:8443/h", ("https://[::1]:8443/h", "https://[::1]/h")),
        ("no url", ("no url",)),
    ],
)
def test_a_url_is_tried_with_and_without_its_port(url: str, tried: tuple[str, ...]) -> None:
    assert signature.variants(url) == tried


def _request(dice: random.Random) -> tuple[str, list[tuple[str, str]]]:
    """A URL and a form as they may come, with ports, repeated names, blanks and any script."""
    host = dice.choice(["example.com", "sms.example.org", "127.0.0.1"])
    port = dice.choice(["", "", ":443", ":80", ":8443"])
    query = dice.choice(["", "?m=1&a=2", "?a=b+c&d=%20", "?é=ü"])
    url = f"{dice.choice(['https', 'http'])}://{host}{port}/webhooks{query}"
    letters = string.ascii_letters + " +&=%é漢😀"
    pairs = [
        ("".join(dice.choices("ABab1", k=dice.randint(1, 2))), "".join(dice.choices(letters, k=dice.randint(0, 5))))
        for _ in range(dice.randint(0, 8))
    ]
    return url, pairs


def test_four_thousand_requests_are_judged_as_twilios_library_judges_them() -> None:
    dice = random.Random(20261122)
    validator = RequestValidator(TOKEN)
    for _ in range(4000):
        url, pairs = _request(dice)
        multi: dict[str, list[str]] = {}
        for name, value in pairs:
            multi.setdefault(name, []).append(value)
        form = _Multi(multi)
        theirs = validator.compute_signature(url, form)
        assert signature.expected(TOKEN, url, pairs).decode() == theirs
        signed_url = dice.choice([url, *signature.variants(url)])
        signed = validator.compute_signature(signed_url, form)
        if dice.random() < 0.3:
            signed = signed.swapcase()
        assert signature.valid(TOKEN, url, pairs, signed) == validator.validate(url, form, signed), (url, signed_url)


class _Multi(dict[str, list[str]]):
    """What the library takes for a form with repeated names."""

    def getall(self, name: str) -> list[str]:
        return self[name]


def test_either_token_of_a_rotation_is_good() -> None:
    url = "https://example.com/h"
    signed = signature.expected("old", url, CALL).decode()
    assert signature.valid(["new", "old"], url, CALL, signed)
    assert not signature.valid(["new"], url, CALL, signed)
    assert not signature.valid([], url, CALL, signed)


def test_an_empty_token_signs_nothing() -> None:
    url = "https://example.com/h"
    assert not signature.valid([""], url, CALL, signature.expected("", url, CALL).decode())


ANY: Any = st.text(st.characters(codec=None), max_size=30)


@given(url=ANY, pairs=st.lists(st.tuples(ANY, ANY), max_size=4), given_signature=st.none() | ANY, body=st.binary())
def test_garbage_is_not_valid_and_raises_nothing(
    url: str, pairs: list[tuple[str, str]], given_signature: str | None, body: bytes
) -> None:
    assert not signature.valid(TOKEN, url, pairs, given_signature)
    assert not signature.valid_json(TOKEN, url, body, given_signature)
