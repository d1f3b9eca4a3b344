"""An embedding endpoint is asked once and believed only where its answer has what was asked for."""

import json

import pytest

from overture.adapters.llm.embeddings import LARGEST, OpenAIEmbeddings
from overture.domain.errors import Failure, Misconfigured, Permanent, Transient
from tests.adapters.wire import Answer, http, peer, reset, silence, truncated


def vectors(*numbers: object, indexes: list[int] | None = None) -> str:
    places = indexes or list(range(len(numbers)))
    told = [{"index": place, "embedding": one} for place, one in zip(places, numbers, strict=True)]
    return json.dumps({"object": "list", "data": told, "model": "m", "usage": {"total_tokens": 3}})


async def embed(url: str, *, seconds: float = 2) -> list[list[float]]:
    endpoint = OpenAIEmbeddings(base_url=f"{url}/v1/", model="small", api_key="key-of-mine")
    try:
        return await endpoint.embed(["where", "when"], timeout_seconds=seconds)
    finally:
        await endpoint.aclose()


async def test_vectors_are_given_in_the_order_of_their_texts() -> None:
    async with peer(http(200, vectors([0, 1], [1, 0.5], indexes=[1, 0]))) as server:
        assert await embed(server.url) == [[1, 0.5], [0, 1]]
    [(line, headers, body)] = server.requests
    assert line == "POST /v1/embeddings HTTP/1.1"
    assert headers["authorization"] == "Bearer key-of-mine"
    assert json.loads(body) == {"model": "small", "input": ["where", "when"], "encoding_format": "float"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (http(200, "<html>Sign in</html>"), "embedding_unreadable"),
        (http(200, b"\xff\xfe"), "embedding_unreadable"),
        (http(200, '{"data": {}}'), "embedding_unreadable"),
        (http(200, "[" * 100_000), "embedding_unreadable"),
        (http(200, vectors([1, "a"], [1, 2])), "embedding_unreadable"),
        (http(200, vectors([float("nan"), 1], [1, 2])), "embedding_unreadable"),
        (http(200, b" " * (LARGEST + 1)), "embedding_unreadable"),
        (http(200, vectors([1, 2])), "embedding_incomplete"),
        (http(200, vectors([1, 2], [1, 2], [1, 2])), "embedding_incomplete"),
        (http(200, vectors([1, 2], [1, 2], indexes=[0, 0])), "embedding_incomplete"),
        (http(200, vectors([1, 2], [1, 2], indexes=[0, 7])), "embedding_incomplete"),
        (http(200, vectors([1, 2], [1])), "embedding_uneven"),
        (http(200, vectors([], [])), "embedding_uneven"),
        (http(429, "slow down"), "embedding_http_429"),
        (http(500), "embedding_http_500"),
        (http(302, Location="http://127.0.0.1:1/"), "embedding_http_302"),
        (truncated(200, b'{"data": ['), "embedding_unreachable"),
        (reset, "embedding_unreachable"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_a_failure_of_the_moment(answer: Answer, code: str) -> None:
    async with peer(answer) as server:
        with pytest.raises(Transient) as told:
            await embed(server.url)
    assert told.value.code == code


@pytest.mark.parametrize(("status", "kind"), [(401, Misconfigured), (404, Misconfigured), (400, Permanent)])
async def test_a_refusal_that_stays_is_told_as_one(status: int, kind: type[Failure]) -> None:
    async with peer(http(status)) as server:
        with pytest.raises(kind) as told:
            await embed(server.url)
    assert "key-of-mine" not in f"{told.value!r}{told.value}"


async def test_an_endpoint_that_says_nothing_is_waited_for_no_longer_than_told() -> None:
    async with peer(silence) as server:
        with pytest.raises(Transient) as told:
            await embed(server.url, seconds=0.05)
    assert told.value.code == "embedding_timeout"
