"""Knowledge comes back from a backup: it is found, and goes on as before."""

from pathlib import Path

from tests.actions.test_knowledge import asks, brings
from tests.agents.faq import ENGLISH
from tests.store.restoring import Safe
from tests.world import World


async def test_knowledge_is_found_and_changed_after_a_restore(world: World, database_url: str, tmp_path: Path) -> None:
    safe = Safe(world=world, url=database_url, file=tmp_path / "overture.backup")
    await brings(world, "faq", "# Old\nNothing.")
    await brings(world, "faq", ENGLISH)
    await safe.backs_up()
    await brings(world, "faq", "# Lost\nThe parking is lost.")
    await safe.comes_back()
    assert (await asks(world, "where can i park")).passages[0].number == 4
    assert (await brings(world, "faq", "# New\nPark on the roof.")).base.version == 3
    assert [one.title for one in (await asks(world, "where can i park")).passages] == ["New"]
