"""`overture conversations`: who waits for a person, and a person taking one in hand, from the command line."""

import json
from pathlib import Path

from overture.actions.hand_over import HandOver, hand_over
from overture.adapters.clock import SystemClock
from overture.adapters.ids import RandomIds
from overture.store.engine import Writing
from tests.cli.commands import overture
from tests.cli.test_deliveries import EVIL, an_opening, in_database


async def a_conversation(tx: Writing) -> str:
    """A conversation whose agent let go of it."""
    an_id = await an_opening(tx)
    over = HandOver(workspace_id="default", conversation_id=an_id, reason="asked", note=EVIL)
    await hand_over(tx, [over], SystemClock().now(), RandomIds())
    return an_id


def test_a_person_takes_a_conversation_in_hand(tmp_path: Path) -> None:
    an_id = in_database(tmp_path, a_conversation)

    def said(*arguments: str, status: int = 0) -> str:
        run = overture(tmp_path, "conversations", *arguments)
        assert run.returncode == status, run.stdout + run.stderr
        assert "\x1b" not in run.stdout
        return run.stdout + run.stderr

    waiting = said("list", "--waiting")
    assert an_id in waiting
    assert "nobody yet" in waiting
    assert "TEXT" in said("write", an_id, status=2)
    assert "Written" in said("write", an_id, "Bo here.", "--by", "Bo")
    assert said("list", "--waiting") == "Nobody waits for a person.\n"
    shown = said("show", an_id)
    assert "Bo here. [queued]" in shown
    told = json.loads(said("show", an_id, "--json"))
    assert (told["conversation"]["taken_by"], len(told["messages"])) == ("Bo", 2)
    assert said("take-over", an_id, "--by", "Cy") == "The conversation is Cy's.\n"
    assert said("hand-back", an_id) == "The agent has the conversation.\n"
    assert said("end", an_id) == "The conversation has ended: completed.\n"
    refused = said("take-over", an_id, status=1)
    assert "has ended" in refused
    assert "NAME=VALUE" in said("write", an_id, "--template", "HX", "--value", "x", status=2)
    assert "--mode" in said("list", "--mode", "none", status=2)
