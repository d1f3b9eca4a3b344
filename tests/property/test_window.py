"""WhatsApp's window at its edges: whatever the clocks say, free text leaves only where it is open by what is known.

The provider's clock stamps what the contact wrote, ours decides. They differ, ours may be set back, and the contact may
write at any moment between a call, a claim and the provider's refusal.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overture.domain import closed_window, window
from overture.domain.agent import Agent, FlowSpec, Node, OpeningPreference, TemplateUse
from overture.domain.channel import Channel
from overture.domain.errors import Refusal
from overture.domain.leaving import Leaving, may_leave
from overture.domain.message import Template, Text
from overture.domain.sending import Facts, KnownThread, Start, choose_opening
from overture.domain.template import Approval, Category, Content, Known
from overture.domain.template import Template as OfProvider
from overture.domain.template_opening import OwnTemplate
from overture.store.engine import stored
from tests.world import BOOKER, OURS, WHATSAPP, World

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
EDGE = window.LENGTH - window.MARGIN
SECOND = timedelta(seconds=1)
SID = "HX" + "1" * 32
USE = TemplateUse(content_sid=SID)
FILLED = Template(content_sid=SID)

near_the_edge = st.integers(-3, 3).map(lambda n: EDGE + n * SECOND)
anywhere = st.integers(-(10**9), 10**9).map(lambda n: timedelta(milliseconds=n))
ages = st.one_of(near_the_edge, anywhere)
skews = st.integers(-300, 300).map(lambda n: n * SECOND)


def leaving(body: Text | Template, heard: datetime | None, **changes: Any) -> Leaving:
    given: dict[str, Any] = {"channel": Channel.WHATSAPP, "epoch": 0, "conversation_epoch": 0, "opted_out_at": None}
    given |= {"expires_at": NOW + timedelta(days=2), "sender_active": True}
    return Leaving(body=body, last_inbound_at=heard, **(given | changes))


def opens(preference: OpeningPreference, heard: datetime | None, *, text: str | None, template: bool) -> Any:
    spec = FlowSpec(name="A", nodes={"start": Node(say="Hi", end="completed")}, opening_preference=preference)
    agent = Agent(id="a", version=1, spec=spec)
    asked = Start(
        workspace_id="w",
        agent_id="a",
        channel=Channel.WHATSAPP,
        to_number="+447700900123",
        from_number="+15551230001",
        digest="d",
        text=text,
        template=USE if template else None,
    )
    own = OwnTemplate(use=USE) if text is None and not template else None
    thread = KnownThread(id="t", shard=0, last_inbound_at=heard)
    facts = Facts(agent=agent, sender_id="s", greeting="Greetings", thread=thread, own_template=own)
    return choose_opening(asked, facts, agent, NOW)


@given(age=ages)
@example(age=EDGE - SECOND)
@example(age=EDGE)
@example(age=EDGE + SECOND)
def test_the_window_is_open_for_a_day_less_its_margin_to_the_instant(age: timedelta) -> None:
    assert window.is_open(NOW - age, NOW) is (age < EDGE)
    closes_at = window.closes_at(NOW - age)
    assert closes_at is not None
    assert window.is_open(NOW - age, closes_at - timedelta(microseconds=1))
    assert not window.is_open(NOW - age, closes_at)


@given(age=ages, skew=skews)
def test_a_clock_that_is_off_by_less_than_the_margin_never_writes_into_a_closed_window(
    age: timedelta, skew: timedelta
) -> None:
    """Meta counts by its own clock; what we take for open is open there as well."""
    heard_by_meta = NOW - age
    heard_by_us = heard_by_meta + skew
    if window.is_open(heard_by_us, NOW):
        assert heard_by_meta + window.LENGTH > NOW


@given(
    age=st.one_of(st.none(), ages), text=st.booleans(), template=st.booleans(), by=st.sampled_from(OpeningPreference)
)
def test_free_text_opens_only_an_open_window_and_what_opens_may_leave(
    age: timedelta | None, text: bool, template: bool, by: OpeningPreference
) -> None:
    heard = None if age is None else NOW - age
    is_open = window.is_open(heard, NOW)
    chosen = opens(by, heard, text="Hello" if text else None, template=template)
    if isinstance(chosen, Refusal):
        assert (is_open, chosen.code) == (False, "window_closed")
        assert text
        assert not template
        return
    assert may_leave(leaving(chosen, heard), NOW) is None
    if isinstance(chosen, Text):
        assert is_open
        assert chosen.otherwise == (USE if template else None)
    else:
        assert not is_open or (template and (not text or by is OpeningPreference.TEMPLATE))


@given(at_call=ages, passes=st.integers(-7200, 7200).map(lambda n: n * SECOND), wrote=st.one_of(st.none(), ages))
def test_between_call_and_claim_only_the_last_word_and_the_clock_count(
    at_call: timedelta, passes: timedelta, wrote: timedelta | None
) -> None:
    """Our clock may be set back meanwhile, over the end of a window, and the contact may write."""
    heard, now = NOW - at_call, NOW + passes
    last = heard if wrote is None else max(heard, now - wrote)
    stay = may_leave(leaving(Text(text="Hello"), last), now)
    assert (stay is None) is (now - last < EDGE)
    assert stay is None or stay.reason == "window_closed"
    assert may_leave(leaving(FILLED, last), now) is None


@given(
    approval=st.sampled_from(Approval),
    age=st.integers(-10, 10).map(lambda n: n * SECOND),
    gone=st.booleans(),
    heard=st.one_of(st.none(), ages),
    later=st.integers(0, 8 * 3600).map(lambda n: n * SECOND),
)
def test_only_what_was_heard_of_a_template_after_the_message_keeps_it_back(
    approval: Approval, age: timedelta, gone: bool, heard: timedelta | None, later: timedelta
) -> None:
    template = OfProvider(content_sid=SID, account_sid="AC1", name="n", language="en", approval=approval)
    fetched_at = NOW + age
    now = NOW + later
    known = Known(template=template, fetched_at=fetched_at, gone_at=fetched_at if gone else None)
    last = None if heard is None else NOW - heard
    stay = may_leave(leaving(FILLED, last, queued_at=NOW, template=known), now)
    if age < timedelta(0) or not known.decides(now):
        assert stay is None
    elif gone:
        assert stay is not None
        assert stay.reason == "template_unknown"
    elif approval is Approval.APPROVED or window.is_open(last, now):
        assert stay is None
    else:
        assert stay is not None
        assert stay.reason == "template_not_approved"
    assert stay is None or stay.reason in closed_window.WAITS


@given(approval=st.sampled_from(Approval), category=st.sampled_from(Category), to=st.sampled_from(["+1555", "+4477"]))
def test_what_stands_in_for_a_text_is_what_whatsapp_would_take(approval: Approval, category: Category, to: str) -> None:
    content = (Content(type="twilio/text", text="Write to us."),)
    template = OfProvider(
        content_sid=SID,
        account_sid="AC1",
        name="n",
        language="en",
        approval=approval,
        category=category,
        contents=content,
    )
    known = Known(template=template, fetched_at=NOW)
    to = f"{to}0100001"
    found = closed_window.stand_in("Hello", USE, known, to=to, now=NOW)
    goes = approval is Approval.APPROVED and not (category is Category.MARKETING and to.startswith("+1"))
    wanted = Template(content_sid=SID, instead_of="Hello", rendered="Write to us.")
    assert found == (wanted if goes else None)
    assert closed_window.stand_in("Hello", USE, None, to=to, now=NOW) is not None  # who knows nothing refuses nothing


async def heard_ago(world: World, age: timedelta) -> None:
    await world.change("UPDATE thread SET last_inbound_at = $1", stored(world.clock.now() - age))


@pytest.mark.parametrize(("margin", "leaves"), [(-SECOND, True), (timedelta(0), False), (SECOND, False)])
@pytest.mark.parametrize("with_template", [True, False])
async def test_a_text_that_waits_over_the_end_of_its_window(
    world: World, margin: timedelta, leaves: bool, with_template: bool
) -> None:
    await world.saves(BOOKER)
    await world.is_heard_before(WHATSAPP)
    an_id = await world.starts(channel=WHATSAPP, template=USE if with_template else None)
    await heard_ago(world, EDGE + margin)
    await world.sends()
    [line] = await world.lines(an_id)
    if leaves:
        assert world.twilio.said == ["Hello Ada"]
    elif with_template:
        assert world.twilio.posts[0]["ContentSid"] == SID
        assert line.body == Template(content_sid=SID, instead_of="Hello Ada")
    else:
        assert world.twilio.posts == []
        assert line.reason == "window_closed"
        assert await world.events("reply.waits_for_contact") == []  # nobody answers an opening that was not sent


async def test_a_clock_that_is_set_back_over_the_end_of_a_window_opens_it_and_harms_nothing(world: World) -> None:
    await world.is_heard_before(WHATSAPP)
    world.clock.passes(seconds=EDGE.total_seconds())
    refused: Any = await world.answers(channel=WHATSAPP)
    assert refused.code == "window_closed"
    world.clock.passes(seconds=-2)
    await world.starts(channel=WHATSAPP)
    await world.sends()
    assert world.twilio.said == ["Hello Ada"]
    world.clock.passes(seconds=3)
    await world.is_told(world.twilio.taken[0], "undelivered", code=63016)
    assert await world.column("SELECT last_inbound_at FROM thread") == [None]


@pytest.mark.parametrize("wrote", ["before the send", "after the send"])
async def test_a_word_of_the_contacts_counts_by_the_providers_time_of_it(world: World, wrote: str) -> None:
    """A 63016 closes what was open before its try began, whenever we hear of either."""
    await world.is_heard_before(WHATSAPP)
    await heard_ago(world, timedelta(hours=1))
    await world.starts(channel=WHATSAPP, template=USE)
    world.clock.passes(seconds=10)
    await world.sends()
    at = world.clock.now() + (SECOND if wrote == "after the send" else -SECOND)
    world.clock.passes(seconds=10)
    await world.change("UPDATE thread SET last_inbound_at = $1", stored(at))
    await world.is_told(world.twilio.taken[0], "failed", code=63016)
    await world.sends()
    last = world.twilio.posts[-1]
    assert (last.get("Body"), last.get("ContentSid")) == (
        ("Hello Ada", None) if wrote == "after the send" else (None, SID)
    )
    assert last["From"] == f"whatsapp:{OURS}"
