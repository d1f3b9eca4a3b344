"""Workspaces are apart: whatever id is asked for at whatever route, no row of another workspace is even read.

Every transaction of the application is watched: which rows came back from the database while somebody of another
workspace called.
"""

import dataclasses
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import pytest

from overture.domain.access import Scope
from overture.store.engine import Reading, Store, Writing
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery
from overture.web.app import ROUTES, make_app
from overture.web.routes import Route
from tests.reaching import Reached
from tests.web.asgi import Client, Reply
from tests.web.conftest import AGENT, FOREIGN, SMS_SENDER, WORKSPACE
from tests.web.conftest import World as Web
from tests.web.templates import a_template

T = TypeVar("T")

WITH_ID = [(route, path) for route in ROUTES if isinstance(route.may, Scope) for path in route.paths if "{" in path]
OTHERS = [route for route in ROUTES if isinstance(route.may, Scope) and "{" not in route.paths[0]]
BODIES: dict[str, Any] = {
    "send-chat-message": {"message": "Hello"},
    "update-assistant": {"name": "Taken over"},
    "create-chat": {"model_id": AGENT},
    "link-contact-address": {"address": "+15559876543"},
}
NOBODY = "nobody-has-this-id"
HOSTILE = (
    *("0", "-1", "null", "..", "%2e%2e", "%00", "a%00b", "%ff", "' OR '1'='1", "x" * 5000, "\U0001f44b", "*", "%25"),
    "00000000-0000-0000-0000-000000000000",
    "019cb391-c200-71e1-8018-99da386d8acd",
)


class Watched:
    """A real transaction whose rows are noted as they come back."""

    def __init__(self, tx: Any, seen: list[Row]) -> None:
        self._tx = tx
        self._seen = seen

    async def all(self, query: Query, *scalars: Any) -> Sequence[Row]:
        return self._note(await self._tx.all(query, *scalars))

    async def all_of(self, query: RowsQuery, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]:
        return self._note(await self._tx.all_of(query, rows, *scalars))

    async def one(self, query: Query, *scalars: Any) -> Row | None:
        row: Row | None = await self._tx.one(query, *scalars)
        self._note([] if row is None else [row])
        return row

    async def run(self, command: Command, *scalars: Any) -> Sequence[Row]:
        return self._note(await self._tx.run(command, *scalars))

    async def run_rows(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]:
        return self._note(await self._tx.run_rows(command, rows, *scalars))

    async def put(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> None:
        await self._tx.put(command, rows, *scalars)

    def _note(self, rows: Sequence[Row]) -> Sequence[Row]:
        self._seen.extend(tuple(row) for row in rows)
        return rows


class WatchedStore:
    """A real store; `seen` holds every row that came back from it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.seen: list[Row] = []

    @property
    def writers(self) -> int:
        return self._store.writers

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        return await self._store.read(lambda tx: work(Watched(tx, self.seen)))

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        return await self._store.write(lambda tx: work(Watched(tx, self.seen)))

    def now(self) -> datetime:
        return self._store.now()


def texts(store: WatchedStore) -> set[str]:
    """Every text of the rows that came back."""
    return {value for row in store.seen for value in row if isinstance(value, str)}


async def things(web: Web) -> dict[str, str]:
    """One of everything that has an id, in our own workspace, by the name that paths have for it."""
    asked = {"agent_id": AGENT, "channel": "sms", "to_number": "+15559876543", "from_number": SMS_SENDER}
    conversation = (await web.client.post("/v2/chat/outbound", asked)).json["response"]["conversation_id"]
    kid = (await web.client.post("/overture/v1/keys", {"name": "ours"})).json["kid"]
    message = await web.store.read(lambda tx: tx.one(Query("SELECT id FROM message")))
    assert message is not None
    account = {"sid": "AC" + "5" * 32, "auth_token": "a token"}
    assert (await web.client.post("/overture/v1/accounts", account)).status == 200
    sender = {"account_sid": account["sid"], "channel": "sms", "address": "+15551230077"}
    contact = await web.store.read(lambda tx: tx.one(Query("SELECT id FROM contact")))
    assert contact is not None
    return {
        "conversation": conversation,
        "agent": AGENT,
        "key": kid,
        "message": str(message[0]),
        "account": account["sid"],
        "sender": (await web.client.post("/overture/v1/senders", sender)).json["id"],
        "contact": str(contact[0]),
        "template": await a_template(web),
    }


def watched(web: Web, key: str) -> tuple[Client, WatchedStore]:
    """The application as somebody with a key calls it, with its rows watched."""
    store = WatchedStore(web.store)
    return Client(make_app(dataclasses.replace(web.parts, store=store)), key), store


async def ask(client: Client, route: Route, path: str, an_id: str) -> Reply:
    there = re.sub(r"\{[^}]+\}", lambda _: an_id, path)
    if route.takes is None or route.takes is bytes:
        return await client.call(route.method, there)
    sent = BODIES.get(route.operation_id, {})
    return await client.call(route.method, there, body=msgspec.json.encode(sent))


def told(reply: Reply) -> str:
    """An answer without what differs from one call to the next."""
    body = reply.json
    where = body["detail"] if isinstance(body.get("detail"), dict) else body
    return repr({name: value for name, value in where.items() if name not in ("timestamp", "request_id")})


@pytest.mark.promise("P28")
async def test_an_id_of_another_workspace_is_like_an_id_that_never_was(web: Web, reached: Reached) -> None:
    ours = await things(web)
    key = await web.key(Scope.ADMIN, workspace_id=FOREIGN)
    client, store = watched(web, key)
    before = await web.rows()
    calls = 0
    for route, path in WITH_ID:
        never = await ask(client, route, path, NOBODY)
        store.seen.clear()
        for an_id in ours.values():
            reply = await ask(client, route, path, an_id)
            calls += 1
            if route.operation_id == "create-chat":  # it may use an id that is free in its own workspace
                assert (reply.status, reply.detail["code"]) in ((400, "agent_unknown"), (400, "invalid_request"))
            elif route.operation_id == "put-knowledge":  # likewise by a name; the text is missing
                assert (reply.status, reply.json["code"]) in ((400, "knowledge_name_invalid"), (400, "knowledge_empty"))
            else:
                assert reply.status == 404, (route.operation_id, reply.body)
                assert told(reply) == told(never).replace(NOBODY, an_id), route.operation_id
        assert not texts(store) & {WORKSPACE, *ours.values()}, route.operation_id
    assert await web.rows() == before
    reached(f"{len(WITH_ID)} routes × {len(ours)} foreign ids: 404 like an id that never was, 0 of {calls} read a row")


@pytest.mark.promise("P28")
async def test_lists_and_actions_without_an_id_read_nothing_of_another_workspace(web: Web) -> None:
    ours = await things(web)
    client, store = watched(web, await web.key(Scope.ADMIN, workspace_id=FOREIGN))
    for route in OTHERS:
        if route.method == "GET":
            assert (await client.get(route.paths[0])).status in (200, 400), route.operation_id
    assert not texts(store) & {WORKSPACE, *ours.values()}
    own, seen = watched(web, await web.key(Scope.ADMIN))
    assert (await own.get("/v2/chat")).status == 200
    assert ours["conversation"] in texts(seen)  # what is read is seen


@pytest.mark.promise("P28")
async def test_hostile_ids_are_nobodys(web: Web) -> None:
    await things(web)
    client, _ = watched(web, await web.key(Scope.ADMIN, workspace_id=FOREIGN))
    before = await web.rows()
    for route, path in WITH_ID:
        for an_id in HOSTILE:
            reply = await ask(client, route, path, an_id)
            assert reply.status in (400, 404), (route.operation_id, an_id[:40], reply.status)
    assert await web.rows() == before
