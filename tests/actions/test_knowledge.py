"""Knowledge on both engines: the same passages for the same question, versions that replace each other whole."""

import pytest

from overture.actions import look_up, save_knowledge
from overture.actions.save_knowledge import SavedBase
from overture.domain.turn import NeedSearch, Searched
from overture.store import instances, knowledge
from overture.store.engine import Writing
from tests.agents.faq import ENGLISH, GERMAN, HOSTILE, NOTHING, QUESTIONS
from tests.world import NOON, WORKSPACE, World

OTHER = "other"


async def brings(world: World, name: str, text: str | bytes, workspace_id: str = WORKSPACE) -> SavedBase:
    """A text is kept as a base."""
    prepared = save_knowledge.prepare(text if isinstance(text, bytes) else text.encode())
    return await world.store.write(
        lambda tx: save_knowledge.save_knowledge(
            tx, workspace_id, name=name, prepared=prepared, now=world.store.now(), ids=world.ids
        )
    )


async def asks(
    world: World, query: str, *names: str, before: str = "", whole: bool = False, workspace_id: str = WORKSPACE
) -> Searched:
    """What an agent is told."""
    need = NeedSearch(bases=names or ("faq",), query=query, before=before, whole=whole)
    looked = await world.store.read(lambda tx: look_up.look_up(tx, workspace_id, need))
    return look_up.answer(looked, need)


async def test_every_question_finds_its_passage_among_two_languages(world: World) -> None:
    await brings(world, "faq", ENGLISH)
    await brings(world, "fragen", GERMAN)
    for text, question, title in QUESTIONS:
        found = await asks(world, question, "faq" if text is ENGLISH else "fragen")
        assert found.passages[0].title.endswith(title), question
        assert len(found.passages) <= 6


async def test_several_bases_are_looked_through_together(world: World) -> None:
    await brings(world, "faq", ENGLISH)
    await brings(world, "fragen", GERMAN)
    found = await asks(world, "Was kostet der Versand?", "faq", "fragen", "nowhere")
    assert (found.passages[0].base, found.passages[0].version) == ("fragen", 1)
    assert (await asks(world, "parking", "nowhere")).passages == ()


async def test_whatever_is_asked_is_words_and_nothing_else(world: World) -> None:
    await brings(world, "faq", ENGLISH)
    for query in (*HOSTILE, *NOTHING):
        found = await asks(world, query, before=query)
        assert bool(found.passages) == ("sunday" in query.lower()), query
    assert await world.value("SELECT count(*) FROM passage") == 9


async def test_an_operator_of_an_index_has_no_meaning(world: World) -> None:
    await brings(world, "faq", "# A\nSunday near the harbour.\n# B\nMonday and not.\n# C\nWords.")
    found = await asks(world, "sunday NOT monday")
    assert {one.title for one in found.passages} == {"A", "B"}


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("# 営業時間\n日曜日は休みです。\n# 料金\nカットは三千円です。", "日曜日は開いていますか"),
        ("# เวลา\nวันอาทิตย์ปิด\n# ราคา\nตัดผม 300 บาท", "วันอาทิตย์เปิดไหม"),
        ("# ساعات العمل\nيوم الأحد مغلق.\n# الأسعار\nالقص بثلاثين.", "هل أنتم مفتوحون يوم الأحد؟"),
        ("# Часы\nВ воскресенье закрыто.\n# Цены\nСтрижка 30.", "вы открыты в ВОСКРЕСЕНЬЕ?"),
    ],
)
async def test_words_of_any_script_are_found(world: World, text: str, question: str) -> None:
    await brings(world, "faq", text)
    assert (await asks(world, question)).passages[0].number == 1


async def test_a_new_text_takes_the_place_of_the_old_one_whole(world: World) -> None:
    first = await brings(world, "faq", ENGLISH)
    again = await brings(world, "faq", ENGLISH)
    assert (first.changed, again.changed, again.base.version) == (True, False, 1)
    world.clock.passes(hours=1)
    second = await brings(world, "faq", "# Only this\nWe moved to Cork.")
    assert (second.base.version, second.base.passages, second.base.created_at) == (2, 1, NOON)
    assert second.base.updated_at == world.clock.at
    assert (await asks(world, "parking and prices")).passages == ()
    [found] = (await asks(world, "are you in cork")).passages
    assert (found.version, found.number) == (2, 1)
    assert await world.value("SELECT count(*) FROM passage") == 1
    assert await world.value("SELECT count(*) FROM passage_index") == 1


async def test_a_text_that_cannot_be_kept_whole_leaves_the_old_one(world: World) -> None:
    await brings(world, "faq", ENGLISH)
    prepared = save_knowledge.prepare(b"# New\nWe moved.")

    async def breaks(tx: Writing) -> None:
        await save_knowledge.save_knowledge(
            tx, WORKSPACE, name="faq", prepared=prepared, now=world.store.now(), ids=world.ids
        )
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        await world.store.write(breaks)
    assert (await asks(world, "where can I park")).passages[0].title.endswith("Parking")
    assert (await asks(world, "moved")).passages == ()


async def test_what_was_removed_is_found_no_more_and_no_version_is_given_twice(world: World) -> None:
    await brings(world, "faq", ENGLISH)
    assert await world.store.write(lambda tx: knowledge.remove(tx, WORKSPACE, "faq", world.store.now()))
    assert not await world.store.write(lambda tx: knowledge.remove(tx, WORKSPACE, "faq", world.store.now()))
    assert (await asks(world, "parking")).passages == ()
    assert await world.value("SELECT count(*) FROM passage_index") == 0
    world.clock.passes(days=1)
    again = await brings(world, "faq", ENGLISH)
    assert (again.base.version, again.base.created_at) == (2, world.clock.at)
    assert (await asks(world, "parking")).passages[0].version == 2


async def test_a_workspace_finds_nothing_of_another(world: World) -> None:
    await world.store.write(lambda tx: instances.add_workspace(tx, OTHER, OTHER, world.store.now()))
    await brings(world, "faq", "# Ours\nThe parking is free.")
    theirs = await brings(world, "faq", "# Theirs\nThe parking costs a fortune.", OTHER)
    spy = theirs.base.id.replace("-", "")
    await brings(world, "spy", f"# Spy\nparking {spy} {theirs.base.id}")
    assert [one.title for one in (await asks(world, "parking")).passages] == ["Ours"]
    assert [one.title for one in (await asks(world, "parking", workspace_id=OTHER)).passages] == ["Theirs"]
    assert (await asks(world, f"parking {spy}", "spy", workspace_id=OTHER)).passages == ()
    assert [one.title for one in (await asks(world, f"parking {spy}", "faq")).passages] == ["Ours"]
    assert [one.title for one in (await asks(world, "", "faq", whole=True)).passages] == ["Ours"]
    read = world.store.read
    assert await read(lambda tx: knowledge.list_passages(tx, WORKSPACE, theirs.base)) == []
    assert await read(lambda tx: knowledge.list_candidates(tx, WORKSPACE, theirs.base, ["park"])) == []
    assert await read(lambda tx: knowledge.get_text(tx, WORKSPACE, theirs.base)) == ""
    await world.store.write(lambda tx: knowledge.remove(tx, WORKSPACE, "faq", world.store.now()))
    assert [one.title for one in (await asks(world, "parking", workspace_id=OTHER)).passages] == ["Theirs"]


async def test_short_bases_are_given_whole_and_long_ones_are_searched(world: World) -> None:
    await brings(world, "faq", ENGLISH)
    await brings(world, "prices", "# Prices\nA wash is 10 dollars.")
    told = await asks(world, "parking", "faq", "prices", whole=True)
    assert told.whole
    assert [one.number for one in told.passages] == [*range(1, 10), 1]
    await brings(world, "prices", "# Prices\n" + "A wash is 10 dollars. " * 300)
    told = await asks(world, "parking", "faq", "prices", whole=True)
    assert (told.whole, told.passages[0].title.rsplit(" > ", 1)[-1]) == (False, "Parking")


async def test_the_largest_text_is_kept_and_searched(world: World) -> None:
    sections = [f"# Article {n}\nThe widget number {n} costs {n} dollars and is made of brass." for n in range(9_999)]
    await brings(world, "faq", "\n".join([*sections, "# Warranty\nEvery widget has a warranty of five years."]))
    assert (await asks(world, "how long is the warranty on a widget")).passages[0].title == "Warranty"
    assert (await asks(world, "article 4711")).passages[0].title == "Article 4711"
    await brings(world, "faq", "x" * 2 * 1024 * 1024)
    assert await world.value("SELECT count(*) FROM passage_index") == await world.value("SELECT count(*) FROM passage")
