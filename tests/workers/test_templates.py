"""Templates are fetched when a call names one and every hour; what is known to be wrong is refused, no more."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from overture.actions.openings import Answer, Started
from overture.actions.start_conversation import DryRun, dry_run
from overture.adapters.twilio.client import TwilioAccount
from overture.adapters.twilio.content import TwilioContent
from overture.domain.agent import OpeningPreference, TemplateUse, Variable
from overture.domain.errors import Refusal
from overture.store import accounts
from overture.workers.templates import TemplateRoad
from tests.scripted_content import NEXT, SID, ScriptedContent
from tests.world import ACCOUNT, BOB, BOOKER, SMS, WHATSAPP, WORKSPACE, World

USE = TemplateUse(content_sid=SID, variables={"1": "Ada"})
OPENING: dict[str, Any] = {"channel": WHATSAPP, "text": None, "template": USE}


@dataclass
class Desk:
    """A world whose templates come from a Content API that does as the test says."""

    world: World
    content: ScriptedContent
    source: TwilioContent
    road: TemplateRoad

    async def answers(self, **changes: Any) -> Answer:
        """The answer to a call, as the door asks for it."""
        start = await self.road.look_up(self.world.asks(**(OPENING | changes)))
        [answer] = await self.world.starts_all(start)
        return answer

    async def refusal(self, **changes: Any) -> tuple[str, str | None]:
        """Code and field with which a call is refused."""
        answer = await self.answers(**changes)
        assert isinstance(answer, Refusal), answer
        assert answer.hint is not None
        return answer.code, answer.field

    async def opens_with(self, **changes: Any) -> str:
        """What a call opens with, as a person reads it."""
        answer = await self.answers(**changes)
        assert isinstance(answer, Started), answer
        return (await self.world.texts(answer.conversation_id))[0]

    async def rows(self) -> list[tuple[str, str, bool]]:
        """The templates on disk: SID, approval, whether they are gone."""
        rows = await self.world.rows("SELECT content_sid, approval, gone_at FROM template ORDER BY content_sid")
        return [(row[0], row[1], row[2] is not None) for row in rows]


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What the road logs."""

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    lines: list[str] = []
    handler, logger = Kept(), logging.getLogger("overture.workers.templates")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    """A desk whose account is set up."""
    await world.store.write(lambda tx: accounts.add(tx, WORKSPACE, ACCOUNT, world.clock.now()))
    async with ScriptedContent().listening() as content:
        account = TwilioAccount(sid=ACCOUNT, auth_token="a token", base_url=content.base_url)
        source = TwilioContent({ACCOUNT: account}, timeout=aiohttp.ClientTimeout(total=5))
        try:
            yield Desk(world, content, source, TemplateRoad(store=world.store, source=source))
        finally:
            await source.aclose()


async def test_a_template_that_nobody_knew_is_fetched_once_and_read_as_its_contact_reads_it(desk: Desk) -> None:
    desk.content.has()
    assert await desk.opens_with() == "Hello Ada!"
    assert len(desk.content.asked) == 2  # the template and its approval
    assert await desk.opens_with(to_number=BOB) == "Hello Ada!"
    assert len(desk.content.asked) == 2
    await desk.world.sends(2)
    assert [post["ContentVariables"] for post in desk.world.twilio.posts] == ['{"1":"Ada"}'] * 2


async def test_a_call_without_a_template_asks_nobody(desk: Desk) -> None:
    asked = desk.world.asks(text="Hello")
    assert await desk.road.look_up(asked) is asked
    assert desk.content.asked == []


@pytest.mark.parametrize(
    ("has", "changes", "code", "field"),
    [
        (None, {}, "template_unknown", "template.content_sid"),
        (None, {"channel": SMS}, "template_unknown", "template.content_sid"),
        ({"approval": "pending"}, {}, "template_not_approved", "template.content_sid"),
        ({"approval": "unsubmitted"}, {}, "template_not_approved", "template.content_sid"),
        ({"approval": "rejected", "rejection": "Bad."}, {}, "template_not_approved", "template.content_sid"),
        ({"approval": "paused"}, {}, "template_not_approved", "template.content_sid"),
        ({"approval": "disabled"}, {}, "template_not_approved", "template.content_sid"),
        ({"approval": "something new"}, {}, "template_not_approved", "template.content_sid"),
        ({"category": "MARKETING"}, {}, "template_not_allowed", "template.content_sid"),
        ({"types": {"twilio/list-picker": {"body": "{{1}}"}}}, {}, "template_not_allowed", "template.content_sid"),
        ({"body": "{{1}} {{2}}"}, {}, "template_variables", "template.variables.2"),
        ({"body": "none"}, {}, "template_variables", "template.variables.1"),
        ({"body": "none"}, {"channel": SMS}, "template_variables", "template.variables.1"),
        ({}, {"variables": {}}, "template_variables", "template.variables.1"),
        ({}, {"variables": {"1": ""}}, "template_variables", "template.variables.1"),
        ({}, {"variables": {"1": "a\nb"}}, "template_variables", "template.variables.1"),
        ({}, {"variables": {"1": "x" * 10_000}}, "template_variables", "template.variables.1"),
        ({}, {"variables": {"1": "a", "'; --": "b"}}, "template_variables", "template.variables.'; --"),
    ],
)
async def test_what_could_only_fail_later_is_refused_now(
    desk: Desk, has: dict[str, Any] | None, changes: dict[str, Any], code: str, field: str
) -> None:
    if has is not None:
        desk.content.has(**has)
    if "variables" in changes:
        changes = {"template": TemplateUse(content_sid=SID, variables=changes["variables"])}
    before = await desk.world.counts()
    assert await desk.refusal(**changes) == (code, field)
    assert await desk.world.counts() == before


@pytest.mark.parametrize(
    ("has", "changes", "reads"),
    [
        ({"approval": "rejected"}, {"channel": SMS}, "Hello Ada!"),
        ({"category": "MARKETING"}, {"to_number": "+447700900123"}, "Hello Ada!"),
        ({}, {"text": "Kept for the agent"}, "Hello Ada!"),
        ({}, {"channel": SMS, "text": "A text goes before"}, "A text goes before"),
        ({"approval": "pending"}, {"channel": SMS, "text": "A text goes before"}, "A text goes before"),
        ({"types": {"twilio/new": None}}, {"template": TemplateUse(content_sid=SID)}, f"[template {SID}]"),
    ],
)
async def test_what_may_go_goes(desk: Desk, has: dict[str, Any], changes: dict[str, Any], reads: str) -> None:
    desk.content.has(**has)
    assert await desk.opens_with(**changes) == reads


async def test_inside_the_window_no_approval_is_asked_for(desk: Desk) -> None:
    desk.content.has(approval="pending", category="MARKETING")
    await desk.world.is_heard_before(WHATSAPP)
    assert await desk.opens_with() == "Hello Ada!"
    await desk.world.saves(msgspec.structs.replace(BOOKER, opening_preference=OpeningPreference.TEMPLATE))
    assert await desk.opens_with(text="A text") == "Hello Ada!"


BAD = {
    "500": lambda: web.Response(status=500, text="broken"),
    "html": lambda: web.Response(status=200, text="<html>"),
    "nothing": lambda: web.json_response([]),
    "401": lambda: web.json_response({"code": 20003}, status=401),
    "429": lambda: web.json_response({"code": 20429}, status=429, headers={"Retry-After": "60"}),
    "proxy": lambda: web.Response(status=404, text="<html>nginx"),
    "redirect": lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
}


@pytest.mark.parametrize("name", BAD)
async def test_where_the_content_api_is_down_calls_are_taken_and_it_is_left_alone(
    desk: Desk, name: str, logged: list[str]
) -> None:
    desk.content.bad = BAD[name]
    for n in range(3):
        assert await desk.opens_with(to_number=f"+1555010010{n}") == f"[template {SID}]"
    assert len(desk.content.asked) == 2
    assert "".join(logged).count("templates_unread") == 1
    desk.content.bad = None
    desk.world.clock.passes(seconds=61)
    assert await desk.refusal() == ("template_unknown", "template.content_sid")


async def test_a_content_api_that_hangs_holds_one_call_up_for_two_seconds(desk: Desk) -> None:
    desk.content.released.clear()
    began = asyncio.get_running_loop().time()
    calls = [desk.opens_with(to_number=f"+1555010010{n}") for n in range(5)]
    assert await asyncio.gather(*calls) == [f"[template {SID}]"] * 5
    assert await desk.opens_with() == f"[template {SID}]"
    assert 1.9 < asyncio.get_running_loop().time() - began < 4
    assert len(desk.content.asked) == 2
    desk.content.released.set()


async def test_calls_for_one_template_wait_for_one_fetch_and_one_that_leaves_harms_no_other(desk: Desk) -> None:
    desk.content.has()
    desk.content.released.clear()
    calls = [asyncio.create_task(desk.opens_with(to_number=f"+1555010010{n}")) for n in range(6)]
    await desk.content.arrived.wait()
    calls[0].cancel()
    desk.content.released.set()
    assert await asyncio.gather(*calls[1:]) == ["Hello Ada!"] * 5
    assert len(desk.content.asked) == 2


async def test_an_approval_since_the_last_look_counts_after_a_minute(desk: Desk) -> None:
    desk.content.has(approval="pending")
    assert (await desk.refusal())[0] == "template_not_approved"
    desk.content.has(approval="approved")
    assert (await desk.refusal())[0] == "template_not_approved"  # nobody is asked at each call
    desk.world.clock.passes(seconds=61)
    assert await desk.opens_with() == "Hello Ada!"


async def test_an_approval_lost_between_call_and_send_is_the_sends_own_error(desk: Desk) -> None:
    desk.content.has()
    assert await desk.opens_with() == "Hello Ada!"
    desk.content.has(approval="paused")
    await desk.world.sends()
    [message] = desk.world.twilio.taken
    await desk.world.is_told(message, "failed", code=63041)
    assert await desk.world.column("SELECT error_code FROM message") == [63041]


async def test_a_template_that_is_deleted_is_unknown_from_the_next_look_on(desk: Desk) -> None:
    desk.content.has()
    assert await desk.opens_with() == "Hello Ada!"
    desk.content.known.clear()
    desk.world.clock.passes(seconds=1)
    [refreshed] = await desk.road.refresh(WORKSPACE)
    assert (refreshed.templates, refreshed.gone, refreshed.why) == (0, 1, None)
    assert await desk.rows() == [(SID, "approved", True)]
    assert (await desk.refusal(to_number=BOB))[0] == "template_unknown"
    desk.content.has()
    desk.world.clock.passes(seconds=61)
    assert await desk.opens_with(to_number=BOB) == "Hello Ada!"
    assert await desk.rows() == [(SID, "approved", False)]


async def test_a_call_that_was_answered_is_answered_the_same_though_its_template_is_gone(desk: Desk) -> None:
    desk.content.has()
    first = await desk.answers(idempotency_key="k")
    desk.content.known.clear()
    desk.world.clock.passes(seconds=1)
    await desk.road.refresh(WORKSPACE)
    again = await desk.answers(idempotency_key="k")
    assert isinstance(first, Started)
    assert again == Started(conversation_id=first.conversation_id, replayed=True)


async def test_what_is_known_from_long_ago_refuses_nothing(desk: Desk) -> None:
    desk.content.has(approval="pending")
    await desk.road.refresh(WORKSPACE)
    desk.content.bad = BAD["500"]
    desk.world.clock.passes(hours=7)
    assert await desk.opens_with() == "Hello Ada!"


async def test_the_road_fetches_all_every_hour_and_no_other_process_does_it_too(desk: Desk) -> None:
    desk.content.has()
    desk.content.has(NEXT, body="Later")
    other = TemplateRoad(store=desk.world.store, source=desk.source)
    for _ in range(3):
        await asyncio.gather(desk.road.look(), other.look())
    assert desk.content.asked == ["/v1/ContentAndApprovals"]
    assert [row[0] for row in await desk.rows()] == [SID, NEXT]
    assert await desk.opens_with() == "Hello Ada!"
    assert len(desk.content.asked) == 1
    desk.world.clock.passes(minutes=61)
    desk.content.has(approval="disabled")
    await desk.road.look()
    assert (await desk.refusal(to_number=BOB))[0] == "template_not_approved"


async def test_a_list_that_fails_is_told_once_tried_again_sooner_and_takes_nothing_away(
    desk: Desk, logged: list[str]
) -> None:
    desk.content.has()
    await desk.road.look()
    desk.content.bad = BAD["500"]
    desk.world.clock.passes(minutes=61)
    for _ in range(13):
        await desk.road.look()
        desk.world.clock.passes(minutes=1)
    assert "".join(logged).count("templates_unread") == 1
    assert len(desk.content.asked) == 4
    assert await desk.rows() == [(SID, "approved", False)]
    desk.content.bad = None
    [refreshed] = await desk.road.refresh(WORKSPACE)
    assert refreshed.why is None


async def test_a_fetch_that_is_older_than_what_is_kept_changes_nothing(desk: Desk) -> None:
    desk.content.has()
    await desk.road.refresh(WORKSPACE)
    desk.world.clock.at -= timedelta(hours=1)
    desk.content.has(approval="rejected")
    await desk.road.refresh(WORKSPACE)
    assert await desk.rows() == [(SID, "approved", False)]


async def test_each_account_has_templates_of_its_own(desk: Desk) -> None:
    desk.content.has()
    await desk.road.refresh(WORKSPACE)
    await desk.world.change("UPDATE sender SET account_sid = 'AC9'")
    answer = await desk.answers()
    assert isinstance(answer, Started)  # nobody has credentials of AC9: the send tells
    assert await desk.world.texts(answer.conversation_id) == [f"[template {SID}]"]


async def test_a_dry_run_shows_the_template_with_its_values(desk: Desk) -> None:
    desk.content.has(types={"twilio/quick-reply": {"body": "Hi {{1}}", "actions": [{"title": "Yes {{1}}"}]}})
    start = await desk.road.look_up(desk.world.asks(**OPENING))
    before = await desk.world.counts()
    would = await desk.world.store.read(lambda tx: dry_run(tx, start, desk.world.clock.now()))
    assert isinstance(would, DryRun)
    assert (would.opening, would.kind, would.segments) == ("Hi Ada", "template", 1)
    assert would.template is not None
    assert (would.template.name, would.template.language, would.template.category) == ("greeting", "en", "UTILITY")
    assert [button.title for button in would.template.buttons] == ["Yes Ada"]
    assert await desk.world.counts() == before


async def test_in_a_batch_each_call_has_its_own_template(desk: Desk) -> None:
    desk.content.has()
    desk.content.has(NEXT, body="Bye {{1}}")
    await desk.road.refresh(WORKSPACE)
    asked = [
        desk.world.asks(**OPENING),
        desk.world.asks(text="plain", to_number=BOB),
        desk.world.asks(
            **(OPENING | {"to_number": "+15550100003", "template": TemplateUse(content_sid=NEXT, variables={"1": "C"})})
        ),
        desk.world.asks(**(OPENING | {"to_number": "+15550100004", "template": TemplateUse(content_sid=SID)})),
    ]
    *started, refused = await desk.world.starts_all(*asked)
    texts = [(await desk.world.texts(one.conversation_id))[0] for one in started if isinstance(one, Started)]
    assert texts == ["Hello Ada!", "plain", "Bye C"]
    assert isinstance(refused, Refusal)


async def test_a_hostile_template_is_text_and_nothing_else(desk: Desk) -> None:
    evil = "'; DROP TABLE template; -- {{1}} \u0000 \x1f \x1e <script> {{{{1}}}}"
    desk.content.has(body=evil, friendly_name="\x1f" + evil, language="\x1e")
    await desk.road.refresh(WORKSPACE)
    assert await desk.opens_with() == evil.replace("\x00", "").replace("{{1}}", "Ada")
    assert await desk.rows() == [(SID, "approved", False)]


@pytest.mark.parametrize(
    ("has", "named", "given", "code", "field"),
    [
        ({}, "{name}", {"name": "Ada"}, "Hello Ada!", None),
        ({}, "{name|there}", {}, "Hello there!", None),
        ({}, "{name}", {}, "variable_missing", "custom_variables.name"),
        ({}, "{name}", {"name": "  "}, "variable_missing", "custom_variables.name"),
        ({}, "{name}", {"name": "a\nb {name} {{1}}"}, "Hello a b name {{1}}!", None),
        ({}, "", {}, "template_variables", "agent_id"),
        ({"approval": "paused"}, "{name}", {"name": "Ada"}, "template_not_approved", "agent_id"),
        ({"category": "MARKETING"}, "{name}", {"name": "Ada"}, "template_not_allowed", "agent_id"),
        ({"body": "{{1}} {{2}}"}, "{name}", {"name": "Ada"}, "template_variables", "agent_id"),
        (None, "{name}", {"name": "Ada"}, "template_unknown", "agent_id"),
    ],
)
async def test_an_agents_own_opening_template_is_checked_at_the_call(
    desk: Desk, has: dict[str, Any] | None, named: str, given: dict[str, Any], code: str, field: str | None
) -> None:
    use = TemplateUse(content_sid=SID, variables={"1": named})
    await desk.world.saves(msgspec.structs.replace(BOOKER, opening_template=use, variables={"name": Variable()}))
    if has is not None:
        desk.content.has(**has)
    asked: dict[str, Any] = {"text": None, "template": None, "variables": given}
    if field is None:
        assert await desk.opens_with(**asked) == code
    else:
        assert await desk.refusal(**asked) == (code, field)
    await desk.world.is_heard_before(WHATSAPP)  # then the greeting opens, and no template is looked at
    assert await desk.opens_with(**asked) == "Hello! Which day suits you?"
