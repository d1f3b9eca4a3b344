"""The table of openings in docs/templates.md, as the code decides it: `python -m tests.openings` writes it anew.

Each row is a dry run on a real database, so that what the page says is what a call would be told.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from overture.actions.start_conversation import dry_run
from overture.domain.agent import OpeningPreference, TemplateUse, Variable
from overture.domain.channel import Channel
from overture.domain.errors import Refusal
from overture.domain.template import Approval, Category, Content, Template
from overture.store import templates
from overture.store.engine import stored
from tests.architecture import tree
from tests.world import ACCOUNT, BOOKER, SMS, WHATSAPP, WORKSPACE, World, a_world

PAGE: Final = tree.ROOT / "docs" / "templates.md"
BEGIN: Final = "<!-- made by python -m tests.openings -->"
END: Final = "<!-- end -->"
OPEN, CLOSED, UNKNOWN = "open", "closed", "never wrote"


def _use(n: int) -> TemplateUse:
    return TemplateUse(content_sid=f"HX{n:032x}", variables={"1": "Ada"})


SOUND, REJECTED, MARKETING, PICKER, OWN = _use(1), _use(2), _use(3), _use(4), _use(5)
TEXT: Final = "Hello Ada"
AGENTS: Final = {
    "any": BOOKER,
    "`opening_preference: template`": msgspec.structs.replace(BOOKER, opening_preference=OpeningPreference.TEMPLATE),
    "`opening_template`": msgspec.structs.replace(
        BOOKER,
        variables={"name": Variable()},
        opening_template=TemplateUse(content_sid=OWN.content_sid, variables={"1": "{name}"}),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A call: `gives` says it in words, the rest is what it holds."""

    channel: Channel
    gives: str
    window: str = UNKNOWN
    agent: str = "any"
    text: str | None = None
    template: TemplateUse | None = None
    name: str | None = None


_BOTH: Final[dict[str, Any]] = {"gives": "a text and a template", "text": TEXT, "template": SOUND}
_NEITHER: Final[dict[str, Any]] = {"gives": "neither"}
_TEXT: Final[dict[str, Any]] = {"gives": "a text", "text": TEXT}
_TEMPLATE: Final[dict[str, Any]] = {"gives": "a template", "template": SOUND}
CASES: Final = (
    Case(channel=SMS, **_TEXT),
    Case(channel=SMS, **_TEMPLATE),
    Case(channel=SMS, **_BOTH),
    Case(channel=SMS, **_NEITHER),
    Case(channel=WHATSAPP, window=OPEN, **_TEXT),
    Case(channel=WHATSAPP, window=OPEN, **_TEMPLATE),
    Case(channel=WHATSAPP, window=OPEN, gives="a template that is not approved", template=REJECTED),
    Case(channel=WHATSAPP, window=OPEN, **_BOTH),
    Case(channel=WHATSAPP, window=OPEN, agent="`opening_preference: template`", **_BOTH),
    Case(channel=WHATSAPP, window=OPEN, agent="`opening_preference: template`", **_TEXT),
    Case(channel=WHATSAPP, window=OPEN, **_NEITHER),
    Case(channel=WHATSAPP, window=OPEN, agent="`opening_template`", **_NEITHER),
    Case(channel=WHATSAPP, window=CLOSED, **_TEXT),
    Case(channel=WHATSAPP, window=UNKNOWN, **_TEXT),
    Case(channel=WHATSAPP, window=CLOSED, **_TEMPLATE),
    Case(channel=WHATSAPP, window=UNKNOWN, **_BOTH),
    Case(channel=WHATSAPP, window=CLOSED, gives="a template that is not approved", template=REJECTED),
    Case(channel=WHATSAPP, window=CLOSED, gives="a marketing template, to a number of the US", template=MARKETING),
    Case(channel=WHATSAPP, window=CLOSED, gives="a list picker", template=PICKER),
    Case(channel=WHATSAPP, window=CLOSED, **_NEITHER),
    Case(channel=WHATSAPP, window=CLOSED, agent="`opening_template`", gives="its `name`", name="Ada"),
    Case(channel=WHATSAPP, window=CLOSED, agent="`opening_template`", **_NEITHER),
    Case(channel=WHATSAPP, window=CLOSED, agent="`opening_template`", **_TEXT),
)


async def table(world: World) -> str:
    """What each case comes to, as the page shows it."""
    await _furnish(world)
    rows = [("channel", "window", "the call gives", "the agent has", "what happens"), ("---",) * 5]
    for n, case in enumerate(CASES):
        window = case.window if case.channel is WHATSAPP else ""
        agent = "" if case.agent == "any" else case.agent
        channel = "WhatsApp" if case.channel is WHATSAPP else "SMS"
        rows.append((channel, window, case.gives, agent, await _outcome(world, case, _number(n))))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def page(text: str, made: str) -> str:
    """The page with a table in place of the one that it has."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def _number(n: int) -> str:
    return f"+1555010{n:04d}"


async def _furnish(world: World) -> None:
    known = [
        _template(SOUND),
        _template(REJECTED, approval=Approval.REJECTED),
        _template(MARKETING, category=Category.MARKETING),
        _template(PICKER, contents=(Content(type="twilio/list-picker", text="Hello {{1}}!"),)),
        _template(OWN, contents=(Content(type="twilio/text", text="It is us, {{1}}."),)),
    ]
    await world.store.write(lambda tx: templates.save(tx, WORKSPACE, known, world.clock.now()))
    for an_id, spec in AGENTS.items():
        await world.saves(spec, an_id)
    for n, case in enumerate(CASES):
        if case.window != UNKNOWN:
            await world.hears("hi", channel=WHATSAPP, by=_number(n))
            age = timedelta(hours=1 if case.window == OPEN else 25)
            await world.change(
                "UPDATE thread SET last_inbound_at = $1 WHERE contact_address = $2",
                stored(world.clock.now() - age),
                _number(n),
            )


def _template(use: TemplateUse, **changes: Any) -> Template:
    given: dict[str, Any] = {"content_sid": use.content_sid, "account_sid": ACCOUNT, "name": "greeting"}
    given |= {"language": "en", "approval": Approval.APPROVED, "category": Category.UTILITY}
    given |= {"contents": (Content(type="twilio/text", text="Hello {{1}}!"),)}
    return Template(**(given | changes))


async def _outcome(world: World, case: Case, number: str) -> str:
    asked = world.asks(
        channel=case.channel,
        to_number=number,
        agent_id=case.agent,
        text=case.text,
        template=case.template,
        variables={} if case.name is None else {"name": case.name},
    )
    would = await world.store.read(lambda tx: dry_run(tx, asked, world.clock.now()))
    if isinstance(would, Refusal):
        return f"400 `{would.code}`"
    if would.kind == "text":
        return "the text" if would.opening == case.text else "the agent's greeting"
    kept = ", and the text is kept for the agent" if case.text is not None else ""
    return ("the agent's template" if case.template is None else "the template") + kept


async def _write(folder: str) -> None:
    async with a_world(f"sqlite://{folder}/openings.db") as world:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), await table(world)), encoding="utf-8")


def main(_: Sequence[str] = ()) -> None:
    """Write the page."""
    with TemporaryDirectory() as folder:
        asyncio.run(_write(folder))


if __name__ == "__main__":
    main()
