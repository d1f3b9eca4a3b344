"""Models are asked over the wire of an independent server that speaks OpenAI's protocol (aimock, another language and
another author), and of a peer that does what no well-meant server does.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from msgspec import structs

from overture.adapters.llm.embeddings import OpenAIEmbeddings
from overture.adapters.llm.openai_compatible import ModelEndpoint, OpenAICompatible
from overture.domain.errors import Failure, Misconfigured, Permanent, Transient
from overture.domain.ports import ModelClient
from overture.domain.turn import ModelAnswered, ModelRequest, Round, Speech, ToolCall, ToolOffer
from tests.adapters.wire import Answer, drip, http, peer, reset, silence, truncated

LLMOCK = Path(__file__).parents[2] / ".cache/aimock/node_modules/.bin/llmock"
FIXTURES = {
    "fixtures": [
        {"match": {"userMessage": "hello"}, "response": {"content": "Hello, Ada!"}},
        {
            "match": {"userMessage": "book it"},
            "response": {"toolCalls": [{"name": "book", "arguments": '{"day": "Monday"}'}]},
        },
        {"match": {"userMessage": "nothing"}, "response": {"content": ""}},
        {"match": {"userMessage": "limited"}, "response": {"error": {"message": "slow down"}, "status": 429}},
        {"match": {"userMessage": "broken"}, "response": {"error": {"message": "oops"}, "status": 500}},
        {"match": {"userMessage": "forbidden"}, "response": {"error": {"message": "no"}, "status": 401}},
        {"match": {"userMessage": "too long"}, "response": {"error": {"message": "context"}, "status": 400}},
        {"match": {"inputText": "where to park"}, "response": {"embedding": [0.25, -1.0, 3]}},
        {"match": {"inputText": "too many"}, "response": {"error": {"message": "slow down"}, "status": 429}},
        {"match": {"inputText": "no key"}, "response": {"error": {"message": "no"}, "status": 401}},
        {"match": {"inputText": "too long"}, "response": {"error": {"message": "context"}, "status": 400}},
        {"match": {"inputText": "garbled"}, "response": {"embedding": [1]}, "chaos": {"malformedRate": 1.0}},
        *(
            {"match": {"userMessage": text}, "response": {"content": "Hello!"}, "chaos": {rate: 1.0}}
            for text, rate in (("dropped", "dropRate"), ("garbled", "malformedRate"), ("hung up", "disconnectRate"))
        ),
    ]
}


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of an aimock of this module."""
    if shutil.which("node") is None or not LLMOCK.exists():
        pytest.skip("aimock is not installed: npm install --prefix .cache/aimock @copilotkit/aimock@1.43.0")
    folder = tmp_path_factory.mktemp("aimock")
    (folder / "fixtures.json").write_text(json.dumps(FIXTURES))
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [LLMOCK, "-p", "0", "-f", folder / "fixtures.json", "--strict", "--log-level", "info"],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield _address(server, folder / "log")
    finally:
        server.terminate()
        server.wait(10)


def _address(server: "subprocess.Popen[bytes]", log: Path) -> str:
    while server.poll() is None:
        for word in log.read_text().split():
            if word.startswith("http://127.0.0.1:"):
                return word.rstrip("/.,")
        time.sleep(0.02)
    raise AssertionError(f"aimock ended: {log.read_text()}")


def asking(text: str, **changes: object) -> ModelRequest:
    lines = (Speech(role="user", text="hi"), Speech(role="assistant", text="Yes?"), Speech(role="user", text=text))
    asked = ModelRequest(instructions="You are brief.", lines=lines, max_output_tokens=77)
    return structs.replace(asked, **changes)


@asynccontextmanager
async def client_of(*endpoints: ModelEndpoint) -> AsyncIterator[OpenAICompatible]:
    client = OpenAICompatible(endpoints)
    try:
        yield client
    finally:
        await client.aclose()


def endpoint(base_url: str, **changes: object) -> ModelEndpoint:
    known = ModelEndpoint(name="main", base_url=base_url, model="test-model", api_key="sk-test", timeout_seconds=5.0)
    return structs.replace(known, **changes)


def _journal(aimock: str, method: str = "GET") -> list[dict[str, dict[str, object]]]:
    with urlopen(Request(f"{aimock}/__aimock/journal", method=method), timeout=5) as answer:
        told = answer.read()
    found = json.loads(told) if told else []
    return found if isinstance(found, list) else list(found.get("entries", []))


async def test_a_model_answers_what_it_was_asked(aimock: str) -> None:
    async with client_of(endpoint(aimock + "/v1")) as client:
        port: ModelClient = client
        answered = await port.complete(asking("hello", temperature=0.25), timeout_seconds=5)
    assert answered.text == "Hello, Ada!"
    assert answered.input_tokens > 0
    sent = (await asyncio.to_thread(_journal, aimock))[-1]["body"]
    assert sent["model"] == "test-model"
    assert (sent["max_tokens"], sent["temperature"]) == (77, 0.25)
    assert sent["messages"] == [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "hello"},
    ]
    assert "tools" not in sent


async def test_the_limit_is_called_as_the_endpoint_knows_it(aimock: str) -> None:
    async with client_of(endpoint(aimock + "/v1", max_tokens_field="max_completion_tokens")) as client:
        await client.complete(asking("hello"), timeout_seconds=5)
    sent = (await asyncio.to_thread(_journal, aimock))[-1]["body"]
    assert sent["max_completion_tokens"] == 77
    assert "max_tokens" not in sent


async def failure_of(client: OpenAICompatible, request: ModelRequest, timeout_seconds: float = 5) -> Failure:
    with pytest.raises(Failure) as told:
        await client.complete(request, timeout_seconds=timeout_seconds)
    return told.value


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("limited", Transient, "model_http_429"),
        ("broken", Transient, "model_http_500"),
        ("forbidden", Misconfigured, "model_http_401"),
        ("too long", Permanent, "model_http_400"),
        ("nothing", Transient, "model_empty"),
        ("dropped", Transient, "model_http_500"),
        ("garbled", Transient, "model_unreadable"),
        ("hung up", Transient, "model_unreadable"),
        ("a question without a fixture", Transient, "model_http_503"),
    ],
)
async def test_an_independent_server_s_refusals_and_its_chaos_have_their_verdicts(
    aimock: str, text: str, kind: type[Failure], code: str
) -> None:
    async with client_of(endpoint(aimock + "/v1")) as client:
        failure = await failure_of(client, asking(text))
    assert isinstance(failure, kind), failure
    assert failure.code == code


BOOK = ToolOffer(
    name="book", description="Books.", schema={"type": "object", "properties": {"day": {"type": "string"}}}
)


async def test_a_model_is_offered_tools_and_wants_a_call(aimock: str) -> None:
    async with client_of(endpoint(aimock + "/v1")) as client:
        answered = await client.complete(asking("book it", tools=(BOOK,)), timeout_seconds=5)
    [call] = answered.calls
    assert (answered.text, call.name, json.loads(call.arguments)) == ("", "book", {"day": "Monday"})
    sent = (await asyncio.to_thread(_journal, aimock))[-1]["body"]
    assert sent["tools"] == [
        {"type": "function", "function": {"name": "book", "description": "Books.", "parameters": BOOK.schema}}
    ]


def wanting(*arguments: str) -> Answer:
    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": "book", "arguments": text}}
        for n, text in enumerate(arguments)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    whole = COMPLETION | {"choices": [CHOICE | {"message": message, "finish_reason": "tool_calls"}]}
    return http(200, json.dumps(whole), Content_Type="application/json")


async def test_arguments_come_as_the_model_wrote_them_and_only_so_many_calls() -> None:
    async with peer(wanting("{no json", *["{}"] * 30)) as told, client_of(endpoint(told.url)) as client:
        answered = await client.complete(asking("hello", tools=(BOOK,)), timeout_seconds=5)
    assert answered.calls[0] == ToolCall(id="c0", name="book", arguments="{no json")
    assert len(answered.calls) == 20


async def test_calls_that_were_never_offered_are_no_answer() -> None:
    async with peer(wanting("{}")) as told, client_of(endpoint(told.url)) as client:
        assert (await failure_of(client, asking("hello"))).code == "model_empty"


async def test_what_tools_gave_follows_the_calls_and_no_more_may_be_called() -> None:
    call = ToolCall(id="c1", name="book", arguments='{"day":"Monday"}')
    rounds = (Round(text="One moment", calls=(call,), results=('{"ok":true}',)),)
    answer = http(200, json.dumps(COMPLETION), Content_Type="application/json")
    async with peer(answer) as told, client_of(endpoint(told.url)) as client:
        await client.complete(asking("x", tools=(BOOK,), rounds=rounds, may_call=False), timeout_seconds=5)
    sent = json.loads(told.requests[0][2])
    assert sent["tool_choice"] == "none"
    wanted, gave = sent["messages"][-2:]
    assert (wanted["role"], wanted["content"]) == ("assistant", "One moment")
    assert wanted["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "book", "arguments": '{"day":"Monday"}'}}
    ]
    assert gave == {"role": "tool", "tool_call_id": "c1", "content": '{"ok":true}'}


CHOICE = {"index": 0, "finish_reason": None, "message": {"role": "assistant", "content": "Hi", "new": 1}}
COMPLETION = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [CHOICE]}


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (http(429, "{}", Retry_After="7"), Transient, "model_http_429"),
        (http(503, "<html>"), Transient, "model_http_503"),
        (http(408, ""), Transient, "model_http_408"),
        (http(409, ""), Transient, "model_http_409"),
        (http(403, "{}"), Misconfigured, "model_http_403"),
        (http(404, "{}"), Misconfigured, "model_http_404"),
        (http(422, "{}"), Permanent, "model_http_422"),
        (http(200, "{no json", Content_Type="application/json"), Transient, "model_unreadable"),
        (http(200, "<html>", Content_Type="text/html"), Transient, "model_unreadable"),
        (http(200, "{}", Content_Type="application/json"), Transient, "model_unreadable"),
        (http(200, json.dumps(COMPLETION | {"choices": []}), Content_Type="application/json"), Transient, ""),
        (http(200, json.dumps(COMPLETION | {"choices": 5}), Content_Type="application/json"), Transient, ""),
        (http(200, b"\xff\xfe\xff", Content_Type="application/json"), Transient, "model_unreadable"),
        (truncated(200, b'{"id": "1", "choices": [{"in'), Transient, "model_unreadable"),
        (reset, Transient, "model_unreadable"),
        (silence, Transient, "model_timeout"),
        (drip, Transient, "model_timeout"),
    ],
)
async def test_a_bad_day_of_an_endpoint_has_its_verdict(answer: Answer, kind: type[Failure], code: str) -> None:
    async with peer(answer) as told, client_of(endpoint(told.url)) as client:
        failure = await failure_of(client, asking("hello"), timeout_seconds=1)
    assert isinstance(failure, kind), failure
    assert failure.code.startswith(code)
    assert len(told.requests) == 1, "nothing is retried inside"


async def test_a_pause_that_the_endpoint_asks_for_is_told() -> None:
    async with peer(http(429, "{}", Retry_After="7")) as told, client_of(endpoint(told.url)) as client:
        failure = await failure_of(client, asking("hello"))
    assert isinstance(failure, Transient)
    assert failure.retry_after_seconds == 7


async def test_a_local_server_s_loose_answer_is_good_enough() -> None:
    """A finish reason of null, no usage and unknown fields, as Ollama and others answer; and no key is wanted."""
    answer = http(200, json.dumps(COMPLETION), Content_Type="application/json")
    async with peer(answer) as told, client_of(endpoint(told.url, api_key="")) as client:
        assert await client.complete(asking("hello"), timeout_seconds=5) == ModelAnswered(text="Hi", model="m")


async def test_the_endpoint_s_own_time_is_a_bound_too() -> None:
    async with peer(silence) as told, client_of(endpoint(told.url, timeout_seconds=0.2)) as client:
        assert (await failure_of(client, asking("hello"), timeout_seconds=60)).code == "model_timeout"


async def test_nobody_listening_is_of_the_moment() -> None:
    async with client_of(endpoint("http://127.0.0.1:9/v1")) as client:
        assert isinstance(await failure_of(client, asking("hello")), Transient)


async def test_a_request_names_its_endpoint_or_gets_the_first() -> None:
    answers = [http(200, json.dumps(COMPLETION), Content_Type="application/json") for _ in range(2)]
    async with peer(*answers) as one, peer(*answers) as two:
        async with client_of(endpoint(one.url, name="one"), endpoint(two.url, name="two")) as client:
            assert list(client.endpoints()) == ["one", "two"]
            await client.complete(asking("hello"), timeout_seconds=5)
            await client.complete(asking("hello", endpoint="two"), timeout_seconds=5)
            assert isinstance(await failure_of(client, asking("hello", endpoint="three")), Misconfigured)
        assert (len(one.requests), len(two.requests)) == (1, 1)


async def test_without_any_endpoint_the_operator_is_told() -> None:
    async with client_of() as client:
        assert list(client.endpoints()) == []
        assert isinstance(await failure_of(client, asking("hello")), Misconfigured)


def test_the_library_is_imported_by_the_first_request_alone() -> None:
    code = (
        "import sys; from overture.adapters.llm.openai_compatible import *;"
        "OpenAICompatible([ModelEndpoint(name='m', base_url='http://127.0.0.1:9', model='m')]).endpoints();"
        "assert not {'pydantic_ai', 'openai', 'httpx2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_where_the_library_is_missing_the_operator_is_told_what_to_install() -> None:
    code = (
        "import asyncio, sys; sys.modules['pydantic_ai'] = None\n"
        "from overture.adapters.llm.openai_compatible import *\n"
        "from overture.domain.errors import Misconfigured\n"
        "client = OpenAICompatible([ModelEndpoint(name='m', base_url='http://127.0.0.1:9', model='m')])\n"
        "try: asyncio.run(client.complete(ModelRequest(instructions='', lines=()), timeout_seconds=9))\n"
        "except Misconfigured as told: assert told.hint == 'Install it: pip install overture[model]'\n"
        "else: raise SystemExit('nobody told')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_endpoint_shows_no_key() -> None:
    assert "sk-test" not in repr(endpoint("http://127.0.0.1:9"))


async def test_vectors_of_texts_are_had_of_an_independent_server(aimock: str) -> None:
    async with aclosing(OpenAIEmbeddings(base_url=aimock + "/v1", model="small", api_key="sk-test")) as endpoint:
        assert await endpoint.embed(["where to park"], timeout_seconds=5) == [[0.25, -1.0, 3.0]]
        told = await endpoint.embed(["where to park"] + [f"line {n}" for n in range(31)], timeout_seconds=5)
        assert told == [[0.25, -1.0, 3.0]] * 32
    sent = (await asyncio.to_thread(_journal, aimock))[-1]
    assert str(sent["path"]).endswith("/v1/embeddings")
    assert sent["body"]["model"] == "small"


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("too many", Transient, "embedding_http_429"),
        ("no key", Misconfigured, "embedding_http_401"),
        ("too long", Permanent, "embedding_http_400"),
        ("garbled", Transient, "embedding_unreadable"),
    ],
)
async def test_an_independent_server_that_makes_no_vectors_is_understood(
    aimock: str, text: str, kind: type[Failure], code: str
) -> None:
    async with aclosing(OpenAIEmbeddings(base_url=aimock + "/v1", model="small")) as endpoint:
        with pytest.raises(kind) as told:
            await endpoint.embed([text], timeout_seconds=5)
    assert told.value.code == code
