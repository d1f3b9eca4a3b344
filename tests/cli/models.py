"""A language model's endpoint that speaks OpenAI's chat completions over real HTTP."""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web


@contextlib.asynccontextmanager
async def model(status: int = 200, says: str = "ready") -> AsyncIterator[str]:
    """A model endpoint that always says the same, or refuses everything; its address."""

    async def answer(request: web.Request) -> web.Response:
        if status != 200:
            return web.json_response({"error": {"message": "no"}}, status=status)
        if request.path.endswith("/models"):
            return web.json_response({"object": "list", "data": []})
        told = {"role": "assistant", "content": says}
        choice = {"index": 0, "message": told, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
        completion = {"id": "1", "object": "chat.completion", "created": 1, "model": "small-1", "choices": [choice]}
        return web.json_response({**completion, "usage": usage})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
