"""The Content API: every template is found with its approval, and nothing that a bad day answers is taken for one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from handset.testing import running
from overture.adapters.twilio.client import TwilioAccount
from overture.adapters.twilio.content import TwilioContent
from overture.domain.errors import Failure, Misconfigured, Permanent, Transient
from overture.domain.ports import TemplateSource
from overture.domain.template import Approval, Button, Category, Template, placeholders, render
from tests.adapters.wire import Answer, Peer, drip, http, peer, reset, silence, truncated

ACCOUNT = "AC" + "0123456789abcdef" * 2
SID = "HX" + "0" * 31 + "1"
GONE = json.dumps({"code": 20404, "message": "not found", "status": 404})


@asynccontextmanager
async def content_of(*answers: Answer, seconds: float = 5) -> AsyncIterator[tuple[Peer, TwilioContent]]:
    async with peer(*answers) as told:
        account = TwilioAccount(sid=ACCOUNT, auth_token="a token", base_url=told.url)
        client = TwilioContent({ACCOUNT: account}, timeout=aiohttp.ClientTimeout(total=seconds))
        try:
            yield told, client
        finally:
            await client.aclose()


def page(*rows: Any, following: str | None = None) -> Answer:
    return http(200, json.dumps({"contents": rows, "meta": {"next_page_url": following}}))


def row(sid: str = SID, **changes: Any) -> dict[str, Any]:
    types = {"twilio/text": {"body": "Hello {{1}}"}}
    approval = {"name": "hello", "category": "UTILITY", "status": "approved", "rejection_reason": ""}
    known = {"sid": sid, "friendly_name": "hello", "language": "en", "variables": {"1": "Ada"}, "types": types}
    return {**known, "approval_requests": approval, **changes}


async def read(**changes: Any) -> Template:
    """One template as a list shows it."""
    async with content_of(page(row(**changes))) as (_, client):
        [found] = await client.list_templates(ACCOUNT)
        return found


async def test_what_handset_has_is_listed_over_pages_and_fetched_one_by_one() -> None:
    given = [
        {"sid": f"HX{n:032x}", "name": f"t{n}", "body": "Hi {{1}}", "variables": {"1": "A"}, "approval": "pending"}
        for n in range(501)
    ]
    async with running({"templates": given}) as handset:
        account = TwilioAccount(sid=handset.account_sid, auth_token=handset.auth_token, base_url=handset.base_url)
        source: TemplateSource = TwilioContent({account.sid: account})
        listed = await source.list_templates(account.sid)
        assert [one.content_sid for one in listed] == [one["sid"] for one in given]
        one = listed[500]
        assert await source.fetch_template(account.sid, one.content_sid) == one
        assert (one.name, one.language, one.category, one.approval) == ("t500", "en", Category.UTILITY, "pending")
        assert (one.samples, render(one, {"1": "Bob"}).text) == ({"1": "A"}, "Hi Bob")
        assert await source.fetch_template(account.sid, "HX" + "f" * 32) is None
        assert isinstance(source, TwilioContent)
        await source.aclose()


@pytest.mark.parametrize(
    "content_sid", ["", "HX12", "../Accounts", "HX" + "g" * 32, SID + "/x", "HX" + "0" * 32 + "\n"]
)
async def test_what_is_no_sid_is_not_asked_for(content_sid: str) -> None:
    async with content_of() as (told, client):
        assert await client.fetch_template(ACCOUNT, content_sid) is None
        assert not told.requests


TYPES: list[tuple[str, dict[str, Any], str, list[Button], tuple[str, ...]]] = [
    ("twilio/text", {"body": "Hi {{1}}"}, "Hi {{1}}", [], ("1",)),
    ("twilio/media", {"body": "Hi", "media": ["https://x.example/{{2}}.jpg"]}, "Hi", [], ("2",)),
    (
        "twilio/quick-reply",
        {"body": "Ok?", "actions": [{"type": "QUICK_REPLY", "title": "Yes {{1}}", "id": "yes_{{2}}"}]},
        "Ok?",
        [Button(kind="reply", title="Yes {{1}}")],
        ("2", "1"),
    ),
    (
        "twilio/call-to-action",
        {
            "body": "See",
            "actions": [
                {"type": "URL", "title": "Site", "url": "https://x.example/{{1}}"},
                {"type": "PHONE_NUMBER", "title": "Call", "phone": "+15550100001"},
            ],
        },
        "See",
        [
            Button(kind="url", title="Site", target="https://x.example/{{1}}"),
            Button(kind="phone", title="Call", target="+15550100001"),
        ],
        ("1",),
    ),
    (
        "twilio/list-picker",
        {"body": "Pick", "button": "Open", "items": [{"item": "A {{1}}", "id": "a", "description": "first"}]},
        "Pick",
        [Button(kind="reply", title="Open"), Button(kind="item", title="A {{1}}", target="first")],
        ("1",),
    ),
    (
        "whatsapp/card",
        {"header_text": "Head", "body": "Body", "footer": "Foot", "actions": []},
        "Head\nBody\nFoot",
        [],
        (),
    ),
    (
        "twilio/carousel",
        {"body": "All", "cards": [{"title": "One", "actions": [{"type": "URL", "title": "Go", "url": "u"}]}]},
        "All\nOne",
        [Button(kind="url", title="Go", target="u")],
        (),
    ),
    (
        "whatsapp/authentication",
        {"add_security_recommendation": True, "actions": [{"type": "COPY_CODE", "copy_code_text": "Copy"}]},
        "",
        [Button(kind="copy_code", title="Copy")],
        ("1",),
    ),
    ("twilio/new-thing", {"body": "New {{1}}", "what": {"else": [1]}}, "New {{1}}", [], ("1",)),
    ("twilio/location", {"latitude": 1.5, "longitude": "{{1}}", "label": "{{2}}"}, "", [], ("2", "1")),
]


@pytest.mark.parametrize(("kind", "fields", "text", "buttons", "names"), TYPES, ids=[one[0] for one in TYPES])
async def test_each_type_is_read(
    kind: str, fields: dict[str, Any], text: str, buttons: list[Button], names: tuple[str, ...]
) -> None:
    [content] = (await read(types={kind: fields})).contents
    assert (content.type, content.text, list(content.buttons)) == (kind, text, buttons)
    assert placeholders(content) == names


@pytest.mark.parametrize("strange", [None, [], "x", 5, {"twilio/text": None}, {"twilio/text": {"body": [1]}}, {"": {}}])
async def test_a_strange_template_is_still_there(strange: Any) -> None:
    found = await read(types=strange, variables=strange, friendly_name=strange, language=strange)
    assert (found.content_sid, found.approval) == (SID, Approval.APPROVED)


@pytest.mark.parametrize(
    ("told", "approval", "category"),
    [
        ({"status": "rejected", "category": "MARKETING"}, Approval.REJECTED, Category.MARKETING),
        ({"status": "PAUSED", "category": "utility"}, Approval.PAUSED, Category.UTILITY),
        ({"status": "in_appeal", "category": "NEWS"}, Approval.UNKNOWN, None),
        ({"status": 5}, Approval.UNKNOWN, None),
        ({}, Approval.UNSUBMITTED, None),
        (None, Approval.UNSUBMITTED, None),
        ([], Approval.UNSUBMITTED, None),
    ],
)
async def test_each_state_of_an_approval_is_read(told: Any, approval: Approval, category: Category | None) -> None:
    found = await read(approval_requests=told)
    assert (found.approval, found.category) == (approval, category)


async def test_hostile_text_is_bounded_and_can_be_kept() -> None:
    found = await read(
        friendly_name="\x00n" * 5000,
        types={f"twilio/{n}": {"body": "x" * 9000, "actions": [{"title": "t"}] * 500} for n in range(50)},
        variables={str(n): "v" * 9000 for n in range(500)},
    )
    assert (len(found.name), "\x00" in found.name) == (200, False)
    assert (len(found.contents), len(found.contents[0].text), len(found.samples)) == (20, 4096, 100)
    assert len(found.contents[0].buttons) == 100


async def test_paging_takes_credentials_nowhere_else() -> None:
    elsewhere = "https://evil.example/steal?PageSize=500&Page=1&PageToken=x"
    async with content_of(page(row(), following=elsewhere), page(row("HX" + "2" * 32))) as (told, client):
        assert len(await client.list_templates(ACCOUNT)) == 2
        assert [line for line, _, _ in told.requests] == [
            "GET /v1/ContentAndApprovals?PageSize=500 HTTP/1.1",
            "GET /v1/ContentAndApprovals?PageSize=500&Page=1&PageToken=x HTTP/1.1",
        ]


BAD: dict[str, tuple[Answer, type[Failure]]] = {
    "nothing": (reset, Transient),
    "500": (http(500, "x"), Transient),
    "503 html": (http(503, "<html>busy</html>"), Transient),
    "html": (http(200, "<html>hello</html>"), Transient),
    "other json": (http(200, "[]"), Transient),
    "no rows": (http(200, '{"meta": {}}'), Transient),
    "rows of another kind": (page(1, 2), Transient),
    "a row without a sid": (page({"friendly_name": "x"}), Transient),
    "a row with a bad sid": (page(row("SM1")), Transient),
    "not utf-8": (http(200, b'{"contents": ["\xff"]}'), Transient),
    "deep": (http(200, b'{"contents":' + b"[" * 100_000), Transient),
    "broken off": (truncated(200, b'{"contents": ['), Transient),
    "redirect": (http(302, "", Location="http://127.0.0.1:1/steal"), Misconfigured),
    "401": (http(401, '{"code": 20003, "message": "no"}'), Misconfigured),
    "429": (http(429, '{"code": 20429}', Retry_After="7"), Transient),
    "404 of a proxy": (http(404, "<html>nginx</html>"), Misconfigured),
    "a circle": (page(row(), following="http://x/?PageSize=500"), Transient),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_list_is_a_failure_and_never_an_empty_one(name: str) -> None:
    answer, failure = BAD[name]
    async with content_of(answer, http(500)) as (told, client):
        with pytest.raises(failure) as raised:
            await client.list_templates(ACCOUNT)
    assert len(told.requests) == (2 if name == "nothing" else 1)  # a read that found the line dead is asked once more
    assert "a token" not in f"{raised.value!r} {raised.value}"


async def test_pages_without_an_end_are_left() -> None:
    answers = [page(row(), following=f"http://x/?Page={n}") for n in range(50)]
    async with content_of(*answers) as (told, client):
        with pytest.raises(Transient):
            await client.list_templates(ACCOUNT)
        assert len(told.requests) == 40


@pytest.mark.parametrize("hang", [silence, drip], ids=["silent", "dripping"])
async def test_an_api_that_hangs_is_left(hang: Answer) -> None:
    async with content_of(hang, hang, seconds=0.2) as (_, client):
        with pytest.raises(Transient):
            await client.fetch_template(ACCOUNT, SID)


async def test_who_gives_up_waiting_leaves_nothing_running() -> None:
    async with content_of(silence, silence) as (told, client):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.fetch_template(ACCOUNT, SID)
        assert told.requests


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (http(404, "<html>no such page</html>"), Misconfigured),
        (http(404, '{"code": 20003}'), Failure),
        (http(500), Transient),
        (http(200, "{}"), Transient),
        (http(200, json.dumps({"sid": "HX" + "9" * 32})), Transient),
        (http(403, '{"code": 20403}'), Failure),
        (http(400, '{"code": 20001}'), Permanent),
    ],
)
async def test_only_twilios_own_404_means_that_there_is_none(answer: Answer, failure: type[Failure]) -> None:
    async with content_of(answer, answer) as (_, client):
        with pytest.raises(failure):
            await client.fetch_template(ACCOUNT, SID)
    async with content_of(http(404, GONE), http(404, GONE)) as (_, client):
        assert await client.fetch_template(ACCOUNT, SID) is None


async def test_an_account_that_is_not_set_up_is_told() -> None:
    async with content_of() as (_, client):
        for ask in (client.list_templates("AC9"), client.fetch_template("AC9", SID)):
            with pytest.raises(Misconfigured) as raised:
                await ask
            assert raised.value.code == "twilio_account_unknown"
