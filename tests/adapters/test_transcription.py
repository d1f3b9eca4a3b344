"""A voice note is posted as the endpoint wants it, and whatever goes wrong there has a verdict in time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from overture.adapters.llm.transcription import OpenAITranscriber
from overture.domain.errors import Failure, Misconfigured, Permanent, Transient
from overture.domain.ports import FetchedMedium

NOTE = FetchedMedium(content_type="audio/ogg", body=b"OggS\0\xff" * 100)


@asynccontextmanager
async def an_endpoint(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], timeout_seconds: float = 5
) -> AsyncIterator[OpenAITranscriber]:
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_post("/v1/audio/transcriptions", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    transcriber = OpenAITranscriber(
        base_url=f"http://{host}:{port}/v1/", model="whisper-1", api_key="a key", timeout_seconds=timeout_seconds
    )
    try:
        yield transcriber
    finally:
        await transcriber.aclose()
        await runner.cleanup()


async def test_a_note_is_posted_as_a_form_and_its_words_come_back() -> None:
    asked: dict[str, object] = {}

    async def answer(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        asked.update(model=form["model"], format=form["response_format"], name=file.filename, body=file.file.read())
        asked["key"] = request.headers["Authorization"]
        return web.json_response({"text": " On Tuesday, please. ", "segments": []})

    async with an_endpoint(answer) as transcriber:
        assert await transcriber.transcribe(NOTE) == "On Tuesday, please."
    assert asked == {
        "model": "whisper-1",
        "format": "json",
        "name": "voice.ogg",
        "body": NOTE.body,
        "key": "Bearer a key",
    }


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (lambda: web.Response(status=500), Transient),
        (lambda: web.Response(status=429), Transient),
        (lambda: web.Response(status=401), Misconfigured),
        (lambda: web.Response(status=404), Misconfigured),
        (lambda: web.Response(status=400), Permanent),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), Permanent),
        (lambda: web.Response(text="<html>"), Permanent),
        (lambda: web.Response(body=b"\xff\xfe"), Permanent),
        (lambda: web.json_response({"words": "x"}), Permanent),
        (lambda: web.json_response({"text": 7}), Permanent),
        (lambda: web.Response(text="[" * 100_000), Permanent),
        (lambda: web.Response(body=b'{"text":"' + b"x" * 300_000 + b'"}'), Permanent),
    ],
)
async def test_each_bad_answer_has_its_verdict(response: Callable[[], web.Response], failure: type[Failure]) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return response()

    async with an_endpoint(answer) as transcriber:
        with pytest.raises(failure):
            await transcriber.transcribe(NOTE)


async def test_an_endpoint_that_is_silent_or_away_costs_its_time_and_no_more() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with an_endpoint(answer, timeout_seconds=0.2) as transcriber:
        with pytest.raises(Transient):
            await transcriber.transcribe(NOTE)
    away = OpenAITranscriber(base_url="http://127.0.0.1:1", model="w")
    with pytest.raises(Transient):
        await away.transcribe(NOTE)
    await away.aclose()
