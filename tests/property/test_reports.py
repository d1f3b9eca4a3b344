"""Promise P5: the same statuses in any order, and as often as they like, come to the same end."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overture.domain.delivery import FAILED
from tests.actions.test_reports import STATUSES, a_sent_message, report, tells
from tests.reaching import Reached
from tests.sizes import size
from tests.workers.test_outbox import claim
from tests.world import World

EXAMPLES = size(small=200, full=5000)
CODES = [30008, 30005, None]  # one that goes again, one that does not, and none


@pytest.fixture
def tried() -> list[int]:
    """How many statuses each history had that was tried."""
    return []


async def a_message(world: World, text: str, to: str, *, is_lost: bool) -> str:
    """The id of a message that the provider took; where it is lost, who sent it died before the answer came."""
    if not is_lost:
        return (await a_sent_message(world, text=text, to_number=to))[1]
    await world.starts(text=text, to_number=to)
    [claimed] = await claim(world)
    await world.client.send(claimed)
    return claimed.message_id


async def all_that_is_known(world: World, message_id: str) -> tuple[Any, ...]:
    """Everything that statuses may change; which of two ids came first is nobody's to know."""
    [message] = await world.rows(
        "SELECT status, error_code, reason, possible_duplicate FROM message WHERE id = $1", message_id
    )
    sids = await world.rows(
        """
        SELECT sid, status, error_code FROM attempt WHERE message_id = $1
        UNION ALL SELECT sid, status, error_code FROM second_sid WHERE message_id = $1
        """,
        message_id,
    )
    waiting = await world.rows("SELECT state, attempt FROM outbox WHERE message_id = $1", message_id)
    return tuple(message), sorted((tuple(row)[1:] for row in sids), key=repr), [tuple(row) for row in waiting]


@pytest.mark.promise("P5")
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_the_order_and_the_repetition_of_reports_change_nothing(
    world: World, tried: list[int], reached: Reached, data: st.DataObject
) -> None:
    """Of a message whose answer was lost or not, that the provider took once or twice."""
    lost = data.draw(st.booleans())
    ids = data.draw(st.integers(1, 2))
    code = {n: data.draw(st.sampled_from(CODES)) for n in range(ids)}
    told = data.draw(st.lists(st.tuples(st.integers(0, ids - 1), st.sampled_from(STATUSES)), min_size=1, max_size=8))
    again = data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=4))))
    finals = []
    for order in (told, again):
        world.clock.passes(seconds=10)  # whatever the sender's pace is
        n = await world.value("SELECT count(*) FROM conversation")
        to = f"+1555{n:07}"
        message_id = await a_message(world, f"Text {n}", to, is_lost=lost)
        sids = [world.twilio.taken[-1]["sid"], f"SM{n:032x}".replace("SM0", "SMe", 1)]
        reports = [
            report(message_id, sids[sid], status, error_code=code[sid] if status in FAILED else None)
            for sid, status in order
        ]
        cut = data.draw(st.integers(0, len(reports)))
        await tells(world, *reports[:cut])
        await tells(world, *reports[cut:])
        finals.append(await all_that_is_known(world, message_id))
        await world.change("DELETE FROM outbox")
    assert finals[0] == finals[1]
    tried.append(len(again))
    if len(tried) == EXAMPLES:
        reached(f"{EXAMPLES:,} histories of {sum(tried):,} statuses, shuffled and repeated, came to the same end")
