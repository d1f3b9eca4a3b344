"""No secret and no phone number reaches a log line, whoever writes it; ids and instants do."""

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from overture import log
from overture.domain.channel import Channel
from overture.domain.message import Text
from overture.domain.ports import Outgoing

pytestmark = pytest.mark.promise("P29")

KEY = "ovt_live_Ab3dE6gH9k_" + "x" * 43 + "123456"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("to +15550100001", "to [number ..01]"),
        ("to whatsapp:+15550100001 now", "to whatsapp:[number ..01] now"),
        ("From=%2B15550100001&Body=hi", "From=%2B[number ..01]&Body=hi"),
        ("From=whatsapp%3A%2B15550100001", "From=whatsapp%3A%2B[number ..01]"),
        ("(555) 010-0001 and 555.010.0001", "([number ..01] and [number ..01]"),
        ("+44 20 7946 0018", "[number ..18]"),
        ("tel:15550100001", "tel:[number ..01]"),
        ('{"to":"+15550100001"}', '{"to":"[number ..01]"}'),
        ("to_15550100001", "to_[number ..01]"),
        ("+15550100001x", "[number ..01]x"),
    ],
)
def test_numbers_are_shortened_to_two_digits(text: str, cleaned: str) -> None:
    assert log.clean(text) == cleaned


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "Authorization: Bearer abcdefghijklmnop",
        "Basic QUMxMjM6c2VjcmV0",
        "authorization='basic QUMxMjM6c2VjcmV0=='",
        "sk-proj-abcdefghijklmnop",
        "postgresql://overture:hunter22@db/overture",
        "postgresql://overture:hun/ter@22@db/overture",
        "postgresql://:hunter22@db/overture",
        "https://AC123:hunter22@api.twilio.com/",
        f"X-User-Api-Key: {KEY}",
    ],
)
def test_secrets_are_hidden(secret: str) -> None:
    cleaned = log.clean(f"before {secret} after")
    for word in ("abcdefgh", "QUMx", "hunter22", "ter@22", "x" * 20):
        assert word not in cleaned
    assert "[hidden]" in cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")


@pytest.mark.parametrize(
    "plain",
    [
        "019cb391-c200-71e1-8018-99da386d8acd",
        "SM00000000000000000000000000000001",
        "SM" + "12345678901234567890123456789012",
        "AC0123456789abcdef0123456789abcdef",
        "2026-11-22T18:07:09.123456Z",
        "2026-11-22 18:07:09",
        "error 21610",
        "127.0.0.1:8080",
        "192.168.100.200:8080",
        "1711241656808x745681686585854500",
        "took 12.345678 s",
        "the basic plan",
    ],
)
def test_ids_and_instants_pass(plain: str) -> None:
    assert log.clean(plain) == plain


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What reaches standard error, as JSON lines."""
    written = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    with contextlib.redirect_stderr(written):
        log.configure("debug", "json")
        yield written
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


OUTGOING = Outgoing(
    message_id="m", attempt=1, account_sid="AC", sender="+15551230001", to="+15550100001",
    body=Text(text="a private text"), validity_seconds=1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "hidden"),
    [
        ({"to": "+15550100001"}, "5550100001"),
        ({"auth_token": "hunter22"}, "hunter22"),
        ({"body": "a private text"}, "private"),
        ({"headers": {"Authorization": "hunter22", "to": "+15550100001"}}, "hunter22"),
        ({"numbers": ["+15550100001"]}, "5550100001"),
        ({"nested": {"deep": [{"password": "hunter22"}]}}, "hunter22"),
        ({"raw": b"From=%2B15550100001"}, "5550100001"),
        ({"outgoing": OUTGOING}, "5550100001"),
        ({"outgoing": [OUTGOING]}, "private"),
        ({"wrong": ValueError("no +15550100001")}, "5550100001"),
        ({"number": 15550100001}, "5550100001"),
        ({"channel": Channel.SMS, "to": ("+15550100001",)}, "5550100001"),
    ],
)
def test_no_field_lets_anything_pass(lines: io.StringIO, fields: dict[str, Any], hidden: str) -> None:
    log.get("a test").info("happened", **fields)
    [line] = lines.getvalue().splitlines()
    assert hidden not in line
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("happened", "info")
    assert told["timestamp"].endswith("Z")


def test_numbers_that_count_pass(lines: io.StringIO) -> None:
    log.get("a test").info("happened", count=3, seconds=1.5, fine=True, nothing=None, code=21610)
    told = json.loads(lines.getvalue())
    assert [told[name] for name in ("count", "seconds", "fine", "nothing", "code")] == [3, 1.5, True, None, 21610]


def test_the_event_itself_is_cleaned(lines: io.StringIO) -> None:
    log.get("a test").warning("sent to +15550100001")
    assert "5550100001" not in lines.getvalue()


def test_a_librarys_lines_and_tracebacks_go_through_the_same_filter(lines: io.StringIO) -> None:
    logging.getLogger("a library").warning("calling %s with %s", "+15550100001", KEY)
    try:
        raise ValueError(f"no +15550100001 for {KEY}")
    except ValueError:
        log.get("a test").exception("broke")
        logging.getLogger("a library").exception("broke too")
    written = lines.getvalue()
    assert len(written.splitlines()) == 3
    assert "5550100001" not in written
    assert "x" * 20 not in written
    assert "ValueError" in written


def test_chatty_libraries_are_quiet(lines: io.StringIO) -> None:
    logging.getLogger("asyncio").debug("Using selector")
    logging.getLogger("uvicorn.access").info("GET /")
    assert lines.getvalue() == ""
