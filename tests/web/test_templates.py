"""The templates' routes: lists with filters, one of them, a preview with all that is wrong, and the call itself."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from overture.adapters.twilio.client import TwilioAccount
from overture.adapters.twilio.content import TwilioContent
from overture.domain.access import Scope
from overture.domain.template import Approval, Button, Category, Content
from overture.store import accounts
from overture.web.app import make_app
from overture.workers.templates import TemplateRoad
from tests.scripted_content import ScriptedContent
from tests.web.asgi import Client
from tests.web.conftest import ACCOUNT, AGENT, SMS_SENDER, WHATSAPP_SENDER, WORKSPACE, World
from tests.web.templates import SID, a_template

LIST = "/overture/v1/templates"
REFRESH = f"{LIST}/refresh"
PREVIEW = f"{LIST}/{SID}/preview"


def call(**changes: Any) -> dict[str, Any]:
    """A call for a WhatsApp conversation that a template opens."""
    asked = {
        "agent_id": AGENT,
        "channel": "whatsapp",
        "to_number": "+15559876543",
        "from_number": WHATSAPP_SENDER,
        "template": {"content_sid": SID, "variables": {"1": "Ada"}},
    }
    return {**asked, **changes}


@pytest.fixture
async def content(world: World) -> AsyncIterator[ScriptedContent]:
    """A Content API that the world's account is at; the world's client reaches an application that asks it."""
    await world.store.write(lambda tx: accounts.add(tx, WORKSPACE, ACCOUNT, world.store.now()))
    async with ScriptedContent().listening() as content:
        source = TwilioContent({ACCOUNT: TwilioAccount(sid=ACCOUNT, auth_token="t", base_url=content.base_url)})
        road = TemplateRoad(store=world.store, source=source)
        app = make_app(dataclasses.replace(world.parts, templates=road))
        world.client = Client(app, await world.key(Scope.ADMIN))
        world.foreign = Client(app, await world.key(Scope.ADMIN, workspace_id="another"))
        yield content
        await source.aclose()


async def test_a_call_is_refused_in_the_chat_apis_shape(world: World, content: ScriptedContent) -> None:
    content.has(approval="paused")
    reply = await world.client.post("/v2/chat/outbound", call())
    assert (reply.status, reply.detail["code"], reply.detail["field"]) == (
        *(400, "template_not_approved"),
        "template.content_sid",
    )
    assert reply.detail["description"].startswith("Meta paused the template")
    assert "another template" in reply.detail["hint"]


@pytest.mark.parametrize("sms", [False, True])
async def test_a_template_that_is_not_there_is_a_400_that_names_the_field(
    world: World, content: ScriptedContent, sms: bool
) -> None:
    changes = {"channel": "sms", "from_number": SMS_SENDER} if sms else {}
    reply = await world.client.post("/v2/chat/outbound", call(**changes))
    assert (reply.status, reply.detail["code"], reply.detail["field"]) == (
        *(400, "template_unknown"),
        "template.content_sid",
    )


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"1": None}, "template.variables.1"),
        ({"1": ["Ada"]}, "template.variables.1"),
        ({"1": {"a": 1}}, "template.variables.1"),
        ({"1": "Ada", "2": 5}, "template.variables.2"),
        ({"name": "Ada"}, "template.variables.1"),
        ({"1": "x" * 10_000}, "template.variables.1"),
        ({"1": " "}, "template.variables.1"),
        ({"1": "Ada", "n" * 9000: "x"}, "template.variables." + "n" * 64),
        ({"1": "Ada", "n" * 9000: []}, "template.variables." + "n" * 64),
    ],
)
async def test_values_that_do_not_fit_name_the_placeholder(
    world: World, content: ScriptedContent, variables: Any, field: str
) -> None:
    content.has()
    reply = await world.client.post("/v2/chat/outbound", call(template={"content_sid": SID, "variables": variables}))
    assert (reply.status, reply.detail["code"], reply.detail["field"]) == (400, "template_variables", field)


async def test_numbers_are_values_too_and_the_dry_run_shows_all(world: World, content: ScriptedContent) -> None:
    content.has()
    asked = call(template={"content_sid": SID, "variables": {"1": 5}})
    reply = await world.client.post("/v2/chat/outbound?dry_run=true", asked)
    told = reply.json["response"]
    assert (told["opening"], told["kind"], told["segments"]) == ("Hello 5!", "template", 1)
    assert {name: told["template"][name] for name in ("content_sid", "name", "language", "category", "approval")} == {
        "content_sid": SID,
        "name": "greeting",
        "language": "en",
        "category": "UTILITY",
        "approval": "approved",
    }
    assert (await world.client.post("/v2/chat/outbound", asked)).status == 200


async def test_a_dry_run_by_sms_counts_the_segments_of_what_is_read(world: World, content: ScriptedContent) -> None:
    content.has(body="Hello {{1}} " + "x" * 160)
    asked = call(channel="sms", from_number=SMS_SENDER)
    told = (await world.client.post("/v2/chat/outbound?dry_run=true", asked)).json["response"]
    assert (told["segments"], told["encoding"]) == (2, "gsm-7")


async def test_templates_are_listed_by_name_filtered_and_in_pages(world: World) -> None:
    for n, (name, language, approval) in enumerate(
        [
            ("welcome", "en", Approval.APPROVED),
            ("Order update", "en", Approval.PENDING),
            ("order update", "de", Approval.APPROVED),
            ("100%_off", "en", Approval.REJECTED),
        ]
    ):
        await a_template(world, f"HX{n:032x}", name=name, language=language, approval=approval)

    async def names(query: str) -> list[str]:
        return [one["name"] for one in (await world.client.get(LIST + query)).json["templates"]]

    assert await names("?name=ORDER") == ["Order update", "order update"]
    assert await names("?name=%25_") == ["100%_off"]
    assert await names("?language=de") == ["order update"]
    assert await names("?approval=approved&language=en") == ["welcome"]
    assert await names("?name=' OR '1'='1") == []
    assert [await names(f"?limit=2&offset={n}") for n in (0, 2, 4)] == [
        *(["100%_off", "Order update"], ["order update", "welcome"]),
        [],
    ]
    assert (await world.client.get(LIST)).json["total"] == 4


@pytest.mark.parametrize(
    "query", ["?approval=good", "?limit=0", "?limit=x", "?offset=-1", "?name=%00", "?name=" + "x" * 201]
)
async def test_a_filter_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    assert (await world.client.get(LIST + query)).status == 400


async def test_one_is_told_with_its_placeholders_and_why_it_may_not_open(world: World) -> None:
    card = Content(
        type="twilio/quick-reply", text="Hi {{1}}", buttons=(Button(kind="reply", title="{{2}}"),), others=("{{3}}",)
    )
    await a_template(world, contents=(card,), approval=Approval.REJECTED, rejection="Bad format", category=None)
    told = (await world.client.get(f"{LIST}/{SID}")).json
    assert (told["text"], told["variables"], told["types"]) == ("Hi {{1}}", ["1", "3", "2"], ["twilio/quick-reply"])
    assert told["approval_problem"]["sentence"] == "Meta rejected the template: Bad format."
    assert told["approval_problem"]["twilio_code"] == 63040
    assert (told["category"], told["gone_at"]) == (None, None)


async def test_a_preview_shows_the_message_and_everything_that_is_wrong(world: World) -> None:
    await a_template(world, category=Category.MARKETING)
    good = await world.client.post(PREVIEW, {"variables": {"1": "Ada"}, "to": "+44 7700 900123"})
    assert good.json == {"text": "Hello Ada!", "buttons": [], "problems": []}
    bad = await world.client.post(
        PREVIEW, {"variables": {"1": ["a"], "2": None}, "to": "+15559876543", "language": "de"}
    )
    assert [one["code"] for one in bad.json["problems"]] == [
        *("marketing_to_us", "wrong_language"),
        *("variable_not_text", "variable_extra"),
    ]
    many = await world.client.post(PREVIEW, {"variables": {str(n): "x" for n in range(2, 2000)}})
    assert len(many.json["problems"]) == 100
    inside = await world.client.post(PREVIEW, {"variables": {"1": 7}, "to": "+15559876543", "purpose": "in_window"})
    assert inside.json == {"text": "Hello 7!", "buttons": [], "problems": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"variables": []}, "variables"),
        ({"variables": None}, "variables"),
        ({"variables": "1=Ada"}, "variables"),
        ({"to": "5559876543"}, "to"),
        ({"to": 5}, "to"),
        ({"purpose": "reply"}, "purpose"),
        ({"language": "x" * 50}, "language"),
        ({"variables": {"1": 2**70}}, None),
        (b'{"variables": {"1": "\\u0000"}}', None),
        (b"\xff", None),
        (b"[]", None),
    ],
)
async def test_a_preview_that_makes_no_sense_is_refused(world: World, body: Any, field: str | None) -> None:
    await a_template(world)
    reply = await world.client.post(PREVIEW, body)
    assert reply.status == 400, reply.body
    if field is not None:
        assert reply.json["field"] == field


async def test_a_refresh_fetches_all_and_tells_what_went_wrong(world: World, content: ScriptedContent) -> None:
    content.has()
    told = await world.client.post(REFRESH, None)
    assert told.json == {"accounts": [{"account_sid": ACCOUNT, "templates": 1, "gone": 0, "code": None, "why": None}]}
    content.known["HX" + "9" * 32] = {"sid": "nonsense"}
    [account] = (await world.client.post(REFRESH, None)).json["accounts"]
    assert (account["templates"], account["code"]) == (0, "twilio_unreadable")
    content.known.clear()
    assert (await world.client.post(REFRESH, None)).json["accounts"][0]["gone"] == 1
    assert (await world.client.get(LIST)).json["total"] == 0
    assert (await world.client.get(f"{LIST}/{SID}")).json["gone_at"] is not None
    [problem] = (await world.client.post(PREVIEW, {"variables": {"1": "Ada"}})).json["problems"]
    assert (problem["code"], problem["twilio_code"]) == ("template_unknown", 21655)


async def test_another_workspace_refreshes_nothing_of_ours(world: World, content: ScriptedContent) -> None:
    content.has()
    assert (await world.foreign.post(REFRESH, None)).json == {"accounts": []}
    assert content.asked == []
