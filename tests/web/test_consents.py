"""Consent over the API: recorded line by line, imported and exported as lists, and asked for where a call opens."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

from overture.domain.rules import RequireConsent, Rules
from overture.store import instances, rules
from overture.store.engine import Writing
from overture.store.statement import Query
from overture.web.api import consents as routes
from tests.web.asgi import Reply
from tests.web.conftest import AGENT, SMS_SENDER, WORKSPACE, World

ADA, BOB = "+15550100001", "+15550100002"
PATH = "/overture/v1/consents"
GRANT = {"number": ADA, "change": "grant", "channel": "sms", "purpose": "marketing", "source": "web form"}
OPT_OUT = {"number": ADA, "change": "opt_out", "source": "letter", "evidence": "No more, please."}


async def opens(world: World, number: str = ADA, **more: Any) -> Reply:
    asked = {"agent_id": AGENT, "channel": "sms", "to_number": number, "from_number": SMS_SENDER, **more}
    return await world.client.post("/v2/chat/outbound", asked)


async def reads(world: World, rows: Sequence[Any], **query: str) -> Reply:
    """A list of rows, JSON lines; a row that is text or bytes goes as it is."""
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    return await sends(world, b"\n".join(lines), **query)


async def sends(world: World, body: bytes, **query: str) -> Reply:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return await world.client.call("POST", f"{PATH}/import?{asked}", body=body)


async def lines(world: World, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.client.get(f"{PATH}{query}")).json["consents"]
    return found


async def queued(world: World) -> int:
    row = await world.store.read(lambda tx: tx.one(Query("SELECT count(*) FROM outbox WHERE state = 'queued'")))
    assert row is not None
    return int(row[0])


async def let(world: World, given: Rules) -> None:
    async def set_rules(tx: Writing) -> None:
        await instances.add_workspace(tx, WORKSPACE, WORKSPACE, world.store.now())
        await rules.set_of_workspace(tx, WORKSPACE, given)

    await world.store.write(set_rules)


async def test_what_is_recorded_is_told_as_it_was(world: World) -> None:
    told = {**GRANT, "evidence": "Yes, text me.", "at": "2026-01-31T12:00:00+01:00", "sender": SMS_SENDER}
    assert (await world.client.post(PATH, told)).json == {"outcome": "recorded"}
    assert (await world.client.post(PATH, told)).json == {"outcome": "known"}
    [line] = await lines(world)
    assert line.pop("recorded_by").startswith("key ")
    assert line.pop("recorded_at") > "2026"
    assert len(line.pop("id")) == len(line.pop("contact_id")) == 36
    assert line == {**told, "at": "2026-01-31T11:00:00Z"}


async def test_lines_are_found_by_contact_channel_change_and_time(world: World) -> None:
    rows = [
        {**GRANT, "at": "2026-01-01T00:00:00Z"},
        {**GRANT, "change": "revoke", "at": "2026-02-01T00:00:00Z"},
        {**GRANT, "number": BOB, "channel": "whatsapp", "at": "2026-03-01T00:00:00Z"},
    ]
    assert (await reads(world, rows)).json["recorded"] == 3
    contact = (await lines(world))[0]["contact_id"]
    for query, count in (
        ("", 3),
        (f"?number={ADA.replace('+', '%2B')}", 2),
        (f"?contact_id={contact}", 2),
        (f"?contact_id={contact}&number={BOB.replace('+', '%2B')}", 0),
        ("?number=%2B15550100077", 0),
        ("?channel=whatsapp", 1),
        ("?change=revoke", 1),
        ("?since=2026-02-01T00:00:00Z", 2),
        ("?channel=sms&change=grant&since=2026-02-01T00:00:00Z", 0),
    ):
        assert len(await lines(world, query)) == count, query
    page = (await world.client.get(f"{PATH}?limit=2")).json
    assert page["has_more"]
    assert len(await lines(world, f"?after={page['consents'][-1]['id']}")) == 1
    for wrong in ("?number=nobody", "?since=yesterday", "?limit=501", "?since=2026-02-01T00:00:00"):
        assert (await world.client.get(PATH + wrong)).status == 400, wrong


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ({**GRANT, "number": "a friend"}, "address_invalid", "number"),
        ({**GRANT, "change": "agree"}, "invalid_request", "change"),
        ({**GRANT, "channel": "fax"}, "invalid_request", "channel"),
        ({**GRANT, "purpose": ""}, "purpose_missing", "purpose"),
        ({**GRANT, "purpose": "x" * 65}, "invalid_request", "purpose"),
        ({**GRANT, "source": ""}, "invalid_request", "source"),
        ({**GRANT, "evidence": "x" * 2001}, "invalid_request", "evidence"),
        ({**GRANT, "at": "2026-01-31 noon"}, "invalid_request", "at"),
        ({**GRANT, "at": "2026-01-31T12:00:00"}, "invalid_request", "at"),
        ({**GRANT, "at": "2999-01-31T12:00:00Z"}, "at_in_future", "at"),
        ({**GRANT, "sender": "+15550009999"}, "sender_unknown", "sender"),
        ({**GRANT, "purpose": "any", "porpoise": 1}, "invalid_request", "porpoise"),
        ({**GRANT, "change": "opt_in"}, "opt_in_not_asked", "asked_by_contact"),
        ({**GRANT, "change": "opt_in", "asked_by_contact": True}, "evidence_missing", "evidence"),
        ({**GRANT, "change": "opt_in", "asked_by_contact": True, "evidence": "Again"}, "at_missing", "at"),
        ({"change": "grant"}, "invalid_request", "number"),
        ([], "invalid_request", None),
    ],
)
async def test_a_row_that_is_wrong_says_where_singly_and_in_a_list(
    world: World, row: Any, code: str, field: str | None
) -> None:
    single = await world.client.post(PATH, row)
    assert (single.status, single.json["code"]) == (400, code), single.body
    reply = await reads(world, [{**GRANT, "number": BOB}, row])
    assert (reply.json["recorded"], reply.json["refused"]) == (1, 1)
    [refused] = reply.json["refusals"]
    assert (refused["line"], refused["code"]) == (2, code)
    assert field is None or field in str(refused["field"] or refused["description"]), refused
    assert len(await lines(world)) == 1


async def test_a_list_may_be_as_broken_as_it_likes(world: World) -> None:
    hostile = [
        b"\xff\xfe\xfa",
        b"not json",
        b"[" * 100_000,
        b'{"number": "\\u0000"}',
        b"",
        b"   ",
        b'{"number": ' + b"9" * 5000 + b"}",
        json.dumps({**GRANT, "evidence": "'; DROP TABLE consent; --"}).encode(),
    ]
    reply = await reads(world, hostile)
    assert reply.status == 200, reply.body
    assert [one["line"] for one in reply.json["refusals"]] == [1, 2, 3, 4, 7]
    assert reply.json["recorded"] == 1


@pytest.mark.parametrize(
    ("body", "recorded", "wrong"),
    [
        (b"number,change,source,purpose\r\n+15550100001,grant,form,any\r\n", 1, []),
        ("\ufeffNumber , CHANGE,source,purpose\n+15550100001,opt_out,Zoë,\n".encode(), 1, []),
        (b'number,change,source,evidence\n+15550100001,opt_out,form,"two\nlines"\n\n+1555,opt_out,form,x\n', 1, [5]),
        (b"number,change,source\n+15550100001,opt_out\n+15550100001,opt_out,form,more\n", 0, [2, 3]),
        (b"number,change,source\n+15550100001,opt_out,\xff\n+15550100002,opt_out,\x00\n", 0, [2, 3]),
        (b'number,change,source\n+15550100001,opt_out,"' + b"x" * 200_000 + b'"\n+15550100002,opt_out,y\n', 1, [2]),
        (b"number,change,source,at\n+15550100001,opt_out,form,yesterday\n", 0, [2]),
        (b"", 0, []),
        (b"number,change,source\n", 0, []),
    ],
)
async def test_csv_is_read_row_by_row(world: World, body: bytes, recorded: int, wrong: list[int]) -> None:
    reply = await sends(world, body, format="csv")
    assert reply.status == 200, reply.body
    assert (reply.json["recorded"], [one["line"] for one in reply.json["refusals"]]) == (recorded, wrong), reply.body


@pytest.mark.parametrize("head", [b"name,change\n", b"number,number\n", b"change,source\n", b"\xff\xff,number\n"])
async def test_csv_without_its_columns_is_no_list(world: World, head: bytes) -> None:
    reply = await sends(world, head + b"+15550100001,grant\n", format="csv")
    assert (reply.status, reply.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
async def test_a_list_in_another_encoding_is_told_so(world: World, encoding: str) -> None:
    reply = await sends(world, "number,change,source\n".encode(encoding), format="csv")
    assert (reply.status, reply.json["detail"]) == (400, "The list is not UTF-8 text.")


@pytest.mark.parametrize("query", ["change=granted", "channel=fax", "change=%20"])
async def test_what_no_line_can_be_is_not_listed_as_nothing(world: World, query: str) -> None:
    reply = await world.client.get(f"{PATH}?{query}")
    assert (reply.status, reply.json["field"]) == (400, query.partition("=")[0])


async def test_importing_twice_changes_nothing(world: World) -> None:
    rows = [GRANT, OPT_OUT, {**GRANT, "number": BOB}, {**GRANT, "number": BOB}, {**OPT_OUT, "key": "row 7"}]
    first = (await reads(world, rows)).json
    assert (first["recorded"], first["known"]) == (4, 1)
    before = await lines(world), await world.rows()
    again = (await reads(world, [*rows, {**OPT_OUT, "number": BOB, "key": "row 7"}])).json
    assert (again["recorded"], again["known"], again["refused"]) == (0, 6, 0)
    assert (await lines(world), await world.rows()) == before


@pytest.mark.parametrize("way", ["all_or_nothing", "dry_run"])
async def test_all_or_nothing_takes_nothing_of_a_list_with_a_broken_row(world: World, way: str) -> None:
    rows = [GRANT, {**GRANT, "source": ""}, OPT_OUT, {**GRANT, "sender": "+15550009999"}]
    reply = (await reads(world, rows, **{way: "true"})).json
    assert [one["line"] for one in reply["refusals"]] == [2, 4]
    assert await lines(world) == []
    mended = (await reads(world, [GRANT, OPT_OUT], **{way: "true"})).json
    assert (mended["recorded"], len(await lines(world))) == (2, 0 if way == "dry_run" else 2)


async def test_a_long_list_goes_in_chunks_and_comes_out_again(world: World) -> None:
    count = 2 * routes._CHUNK + 7
    rows = [
        {**GRANT, "number": f"+1555{n:07}", "evidence": f'a "quoted", row {n}'}
        for n in range(2_000_000, 2_000_000 + count)
    ]
    assert (await reads(world, rows)).json["recorded"] == count
    exported = await world.client.get(f"{PATH}/export?format=csv")
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    found = list(csv.DictReader(io.StringIO(exported.body.decode())))
    assert {row["evidence"] for row in found} == {row["evidence"] for row in rows}
    as_lines = await world.client.get(f"{PATH}/export")
    assert [json.loads(line)["id"] for line in as_lines.body.splitlines()] == [row["id"] for row in found]
    taken_again = await sends(world, exported.body, format="csv")
    assert (taken_again.json["rows"], taken_again.json["refused"]) == (count, 0)
    assert (await sends(world, as_lines.body)).json["known"] == count  # both forms say the same


async def test_an_empty_ledger_is_an_empty_list(world: World) -> None:
    assert (await world.client.get(f"{PATH}/export")).body == b""
    assert (await world.client.get(f"{PATH}/export?format=csv")).body.startswith(b"id,contact_id,number,")
    assert (await world.client.get(f"{PATH}/export?format=xml")).status == 400


@pytest.mark.promise("P22")
async def test_an_imported_opt_out_ends_and_takes_back_what_waits(world: World) -> None:
    started = (await opens(world)).json["response"]["conversation_id"]
    assert await queued(world) == 1
    assert (await reads(world, [OPT_OUT])).json["recorded"] == 1
    assert await queued(world) == 0
    ended = await world.store.read(lambda tx: tx.one(Query("SELECT id, end_reason FROM conversation")))
    assert ended == (started, "opt_out")
    assert (await opens(world)).detail["code"] == "recipient_opted_out"


@pytest.mark.promise("P22")
async def test_only_the_contacts_own_later_words_lift_an_opt_out(world: World) -> None:
    await reads(world, [{**OPT_OUT, "at": "2026-02-01T00:00:00Z"}])
    for row, outcome in (
        ({**GRANT, "at": "2026-02-02T00:00:00Z"}, "recorded"),
        ({**GRANT, "change": "evidence"}, "recorded"),
        ({**OPT_OUT, "change": "opt_in", "at": "2026-02-02T00:00:00Z"}, "opt_in_not_asked"),
        ({**OPT_OUT, "change": "opt_in", "at": "2026-01-02T00:00:00Z", "asked_by_contact": True}, "opt_in_too_old"),
        ({**OPT_OUT, "change": "opt_in", "at": "2026-02-01T00:00:00Z", "asked_by_contact": True}, "opt_in_too_old"),
    ):
        reply = (await world.client.post(PATH, row)).json
        assert reply.get("outcome", reply.get("code")) == outcome, row
        assert (await opens(world)).detail["code"] == "recipient_opted_out"
        looked = (await reads(world, [row], dry_run="true")).json["refusals"]
        assert [one["code"] for one in looked] == ([] if outcome == "recorded" else [outcome])
    back = {**OPT_OUT, "change": "opt_in", "at": "2026-02-02T00:00:00Z", "asked_by_contact": True, "evidence": "Again!"}
    assert (await world.client.post(PATH, back)).json == {"outcome": "recorded"}
    assert (await opens(world)).status == 200
    older = {**OPT_OUT, "at": "2026-02-01T12:00:00Z"}
    assert (await world.client.post(PATH, older)).json == {"outcome": "recorded"}
    assert (await opens(world)).status == 200, "the contact asked again since"


async def test_of_two_rows_about_one_contact_the_later_one_counts(world: World) -> None:
    back = {**OPT_OUT, "change": "opt_in", "asked_by_contact": True, "evidence": "Again!"}
    rows = [
        {**OPT_OUT, "at": "2026-02-01T00:00:00Z"},
        {**back, "at": "2026-02-02T00:00:00Z"},
        {**OPT_OUT, "at": "2026-02-03T00:00:00Z"},
        {**back, "at": "2026-02-02T12:00:00Z"},
    ]
    reply = (await reads(world, rows)).json
    assert [(one["line"], one["code"]) for one in reply["refusals"]] == [(4, "opt_in_too_old")]
    assert (await opens(world)).detail["code"] == "recipient_opted_out"


async def test_a_rule_that_asks_for_consent_refuses_or_warns(world: World) -> None:
    assert "overture-warning" not in (await opens(world)).headers
    await let(world, Rules(require_consent=RequireConsent.ENFORCE))
    refused = await opens(world, BOB)
    assert (refused.status, refused.detail["code"], refused.detail["field"]) == (400, "consent_missing", "consent")
    assert (await opens(world, BOB, consent={"source": "form"})).status == 200
    assert (await opens(world, BOB, initial_message="More")).detail["code"] == "consent_missing", "it was for that call"
    await world.client.post(PATH, {**GRANT, "number": BOB})
    assert (await opens(world, BOB, initial_message="More")).status == 200
    await world.client.post(PATH, {**GRANT, "number": BOB, "change": "revoke", "purpose": ""})
    assert (await opens(world, BOB, initial_message="Even more")).detail["code"] == "consent_missing"
    await let(world, Rules(require_consent=RequireConsent.WARN))
    warned = await opens(world, BOB, initial_message="Even more")
    assert (warned.status, warned.headers["overture-warning"]) == (200, "consent_missing")
    events = Query("SELECT data FROM event WHERE kind = 'conversation.started' ORDER BY id")
    [*before, last] = [json.loads(row[0]) for row in await world.store.read(lambda tx: tx.all(events))]
    assert last["warnings"] == ["consent_missing"]
    assert not any("warnings" in one for one in before)
    asked = {"agent_id": AGENT, "channel": "sms", "to_number": BOB, "from_number": SMS_SENDER}
    would = await world.client.post("/v2/chat/outbound?dry_run=true", asked)
    assert would.json["response"]["warnings"] == ["consent_missing"]
