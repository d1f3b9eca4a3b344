"""The REST API, asked as a program would that has no library for it."""

from typing import Any

import aiohttp

from handset.testing import RunningHandset


def login(handset: RunningHandset) -> dict[str, str]:
    """The credentials of the first account."""
    return {"Authorization": aiohttp.encode_basic_auth(handset.account_sid, handset.auth_token)}


async def ask(handset: RunningHandset, method: str, path: str, **given: Any) -> tuple[int, Any]:
    """The status and the JSON of an answer. A path without a version is below the account's messages."""
    if not path.startswith("/v"):
        path = f"/2010-04-01/Accounts/{handset.account_sid}/Messages{path}"
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, handset.base_url + path, headers=login(handset), **given) as response,
    ):
        return response.status, await response.json() if response.status != 204 else None
