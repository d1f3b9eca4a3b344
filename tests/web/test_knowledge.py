"""The routes of knowledge: a text is brought, looked at, asked and taken away; whatever is no text is refused."""

from hashlib import sha256
from urllib.parse import quote

import pytest

from overture.domain.knowledge import MOST_BYTES
from tests.agents.faq import ENGLISH, HOSTILE
from tests.web.conftest import World

FAQ = "/overture/v1/knowledge/faq"


async def test_a_text_is_brought_looked_at_asked_and_taken_away(world: World) -> None:
    saved = await world.client.call("PUT", FAQ, body=ENGLISH.encode())
    assert saved.status == 200, saved.body
    told = saved.json
    assert (told["name"], told["version"], told["passages"], told["changed"]) == ("faq", 1, 9, True)
    assert (told["characters"], told["hash"]) == (len(ENGLISH), sha256(ENGLISH.encode()).hexdigest())
    assert (await world.client.call("PUT", FAQ, body=ENGLISH.encode())).json["changed"] is False
    changed = (await world.client.call("PUT", FAQ, body=f"{ENGLISH}\nMore.".encode())).json
    assert (changed["version"], changed["changed"]) == (2, True)
    assert (await world.client.get(FAQ)).json["text"] == f"{ENGLISH}\nMore."
    listed = (await world.client.get("/overture/v1/knowledge")).json
    assert (listed["total"], [one["name"] for one in listed["knowledge"]]) == (1, ["faq"])
    assert (await world.client.get("/overture/v1/knowledge?offset=1")).json == {"knowledge": [], "total": 1}
    found = (await world.client.get(f"{FAQ}/search?q=where%20can%20i%20park&limit=2")).json
    assert (found["name"], found["version"], found["passages"][0]["number"]) == ("faq", 2, 4)
    assert len(found["passages"]) <= 2
    assert (await world.client.delete(FAQ)).status == 204
    for path in (FAQ, f"{FAQ}/search?q=park"):
        gone = await world.client.get(path)
        assert (gone.status, gone.json["code"]) == (404, "knowledge_unknown")
    assert (await world.client.delete(FAQ)).status == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "knowledge_empty"),
        (b"\n \n", 400, "knowledge_empty"),
        (b"caf\xe9", 400, "knowledge_unreadable"),
        (b"a\x00b", 400, "knowledge_unreadable"),
        (b"# a\n" * 10_001, 400, "knowledge_too_many_passages"),
        (b"x" * (MOST_BYTES + 1), 413, None),
    ],
    ids=["empty", "blank", "not UTF-8", "NUL", "headings", "too long"],
)
async def test_what_is_no_text_is_refused_and_leaves_what_was(
    world: World, body: bytes, status: int, code: str | None
) -> None:
    await world.client.call("PUT", FAQ, body=b"We open at nine.")
    refused = await world.client.call("PUT", FAQ, body=body)
    assert refused.status == status
    assert code is None or (refused.json["code"] == code and refused.json["hint"])
    assert (await world.client.get(FAQ)).json["text"] == "We open at nine."


@pytest.mark.parametrize("name", ["Faq", "a b", "ü", "-faq", "x" * 65, "a.b", "faq\n"])
async def test_a_name_is_small_letters_and_digits(world: World, name: str) -> None:
    refused = await world.client.call("PUT", f"/overture/v1/knowledge/{quote(name)}", body=b"x")
    assert (refused.status, refused.json["code"]) == (400, "knowledge_name_invalid")


async def test_whatever_is_asked_is_answered(world: World) -> None:
    await world.client.call("PUT", FAQ, body=ENGLISH.encode())
    for query in HOSTILE:
        found = await world.client.get(f"{FAQ}/search?q={quote(query)}")
        assert found.status == 200, query
        assert bool(found.json["passages"]) == ("sunday" in query.lower()), query
    assert (await world.client.get(f"{FAQ}/search")).json["passages"] == []
    for wrong in ("?q=a%00b", f"?q={'a' * 20_001}", "?q=a&limit=0", "?q=a&limit=x"):
        assert (await world.client.get(f"{FAQ}/search{wrong}")).status == 400, wrong


async def test_an_agent_that_names_a_base_is_warned_until_it_is_there(world: World) -> None:
    agent = {"text": "kind: prompt\nname: A\ninstructions: Hi.\ngreeting: Hi\npurpose: x\nknowledge: [faq, faq]\n"}
    warnings = (await world.client.put("/overture/v1/agents", agent)).json["warnings"]
    assert [(one["where"], one["sentence"]) for one in warnings] == [
        ("knowledge[0]", "There is no knowledge base 'faq'."),
        ("knowledge[1]", "'faq' is named twice."),
    ]
    await world.client.call("PUT", FAQ, body=b"We open at nine.")
    agent["text"] = agent["text"].replace("[faq, faq]", "[faq]")
    assert (await world.client.put("/overture/v1/agents", agent)).json["warnings"] == []
    agent["text"] = agent["text"].replace("[faq]", "[a, b, c, d, e, f]")
    refused = await world.client.put("/overture/v1/agents", agent)
    assert (refused.status, refused.json["code"]) == (400, "agent_invalid")
