"""The page about templates tells what opens a conversation as the code decides it."""

from tests import openings
from tests.world import World


async def test_the_page_shows_what_a_dry_run_says(world: World) -> None:
    text = openings.PAGE.read_text(encoding="utf-8")
    assert text == openings.page(text, await openings.table(world)), "run python -m tests.openings"
