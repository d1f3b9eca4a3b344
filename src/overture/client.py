"""A client of our own API, over TCP with a key or over the socket of the data folder without one.

What the server refuses or cannot do is raised as the same problem that the server had, with its code, field and hint.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct

from overture.domain.access import Scope
from overture.domain.agent import Json
from overture.domain.errors import (
    Conflict,
    Failure,
    Forbidden,
    Invalid,
    Limited,
    NotAllowed,
    OutcomeUnknown,
    Problem,
    Transient,
    Unauthenticated,
    Unavailable,
    Unknown,
)
from overture.web.api.agents import AgentList, SavedView, WholeAgent
from overture.web.api.backups import BackupView
from overture.web.api.chat_shapes import (
    AgentMessage,
    Chat,
    ChatListResponse,
    ChatMessageResponse,
    ChatPage,
    ChatResponse,
)
from overture.web.api.conversations import MessageList
from overture.web.api.deliveries import DecisionView, DeliveryList
from overture.web.api.delivery_shapes import DeliveryView
from overture.web.api.inbox import InboxList, RetriedWebhook
from overture.web.api.instance import InstanceView
from overture.web.api.keys import CreatedKeyView, KeyList, KeyView
from overture.web.api.outbound import OutboundChatResponse
from overture.web.api.probes import Ready
from overture.web.api.templates import RefreshedTemplates, TemplateList, TemplatePreview, TemplateView

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 30.0  # a chat's reply may take fifteen
_REFUSALS: Final[dict[str, type[Problem]]] = {
    "invalid_request": Invalid,
    "not_found": Unknown,
    "not_allowed": NotAllowed,
    "conflict": Conflict,
    "authentication": Unauthenticated,
    "permission": Forbidden,
    "unavailable": Unavailable,
}


class StartedChat(Struct, frozen=True, kw_only=True):
    """A conversation is on disk; `replayed` where an earlier call had opened it."""

    conversation_id: str
    replayed: bool = False


class _Told(Struct, kw_only=True):
    category: str = ""
    code: str = "unreadable_answer"
    description: str = ""
    detail: Any = None
    field: str | None = None
    hint: str | None = None


class Client:
    """Calls one server; use it as an asynchronous context. Every method raises a Problem of `domain/errors.py`."""

    def __init__(
        self,
        *,
        base_url: str | None = None,
        key: str | None = None,
        socket: Path | None = None,
        patience_seconds: float = _PATIENCE_SECONDS,
        connections: int = 100,
    ) -> None:
        if (base_url is None) == (socket is None):
            raise ValueError("give either base_url or socket")
        self._base: Final = "http://overture" if base_url is None else base_url.rstrip("/")
        self._where: Final = str(socket) if base_url is None else self._base
        self._socket: Final = socket
        self._headers: Final = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._patience: Final = aiohttp.ClientTimeout(total=patience_seconds)
        self._connections: Final = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Client":
        limit = self._connections
        connector: aiohttp.BaseConnector = (
            aiohttp.TCPConnector(limit=limit)
            if self._socket is None
            else aiohttp.UnixConnector(str(self._socket), limit=limit)
        )
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=self._patience)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _wrong: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def start_outbound(
        self,
        *,
        agent_id: str,
        channel: str,
        to_number: str,
        from_number: str,
        initial_message: str | None = None,
        template: Mapping[str, Json] | None = None,
        custom_variables: Mapping[str, Json] | None = None,
        consent: Mapping[str, Json] | None = None,
        idempotency_key: str | None = None,
    ) -> StartedChat:
        """Open a conversation with a person."""
        asked = {
            "agent_id": agent_id,
            "channel": channel,
            "to_number": to_number,
            "from_number": from_number,
            "initial_message": initial_message,
            "template": template,
            "custom_variables": custom_variables,
            "consent": consent,
        }
        body = {name: value for name, value in asked.items() if value is not None}
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        raw, answered = await self._call("POST", "/v2/chat/outbound", body, headers=headers)
        started = _read(raw, OutboundChatResponse).response
        return StartedChat(
            conversation_id=started.conversation_id, replayed=answered.get("Overture-Replayed") == "true"
        )

    async def open_chat(self, agent_id: str, *, chat_id: str | None = None) -> Chat:
        """Open a chat over the API, under a new id unless one is given."""
        path = "/v2/chat" if chat_id is None else f"/v2/chat/{_quoted(chat_id)}"
        return (await self._get(ChatResponse, path, {"model_id": agent_id}, method="POST")).response

    async def say(self, chat_id: str, message: str) -> AgentMessage:
        """Say something in a chat, and wait for the reply."""
        path = f"/v2/chat/{_quoted(chat_id)}/messages"
        return (await self._get(ChatMessageResponse, path, {"message": message}, method="POST")).response

    async def get_chat(self, chat_id: str) -> Chat:
        """A conversation on any channel, with everything said in it."""
        return (await self._get(ChatResponse, f"/v2/chat/{_quoted(chat_id)}")).response

    async def list_chats(self, *, agent_id: str | None = None, limit: int = 10, cursor: str = "") -> ChatPage:
        """A page of conversations, newest first."""
        asked = {"limit": str(limit), "cursor": cursor, **({} if agent_id is None else {"agent_id": agent_id})}
        return (await self._get(ChatListResponse, "/v2/chat", query=asked)).response

    async def delete_chat(self, chat_id: str) -> None:
        """End a conversation and hide it."""
        await self._call("DELETE", f"/v2/chat/{_quoted(chat_id)}")

    async def list_messages(self, conversation_id: str, *, after: int = 0, limit: int = 100) -> MessageList:
        """A conversation's messages after a sequence number, with what became of each."""
        path = f"/overture/v1/conversations/{_quoted(conversation_id)}/messages"
        return await self._get(MessageList, path, query={"after": str(after), "limit": str(limit)})

    async def put_agent(
        self, *, text: str | None = None, spec: Mapping[str, Any] | None = None, agent_id: str | None = None
    ) -> SavedView:
        """Keep an agent, from YAML text or a specification; the linter's warnings come with the answer."""
        asked = {"text": text, "spec": spec, "id": agent_id}
        body = {name: value for name, value in asked.items() if value is not None}
        return await self._get(SavedView, "/overture/v1/agents", body, method="PUT")

    async def list_agents(self, *, limit: int = 50, offset: int = 0) -> AgentList:
        """A page of agents, newest first."""
        return await self._get(AgentList, "/overture/v1/agents", query={"limit": str(limit), "offset": str(offset)})

    async def get_agent(self, agent_id: str) -> WholeAgent:
        """An agent with its specification."""
        return await self._get(WholeAgent, f"/overture/v1/agents/{_quoted(agent_id)}")

    async def create_key(
        self, name: str, scopes: Sequence[Scope], *, expires_at: datetime | None = None
    ) -> CreatedKeyView:
        """A new API key; its text is in this answer and nowhere else."""
        body = {"name": name, "scopes": list(scopes), "expires_at": expires_at}
        return await self._get(CreatedKeyView, "/overture/v1/keys", body, method="POST")

    async def list_keys(self) -> list[KeyView]:
        """The keys of the workspace, revoked ones included."""
        return (await self._get(KeyList, "/overture/v1/keys")).keys

    async def revoke_key(self, kid: str) -> None:
        """Take a key out of use."""
        await self._call("DELETE", f"/overture/v1/keys/{_quoted(kid)}")

    async def start_backup(self, path: str, *, force: bool = False) -> BackupView:
        """Begin to back the server's database up into a file of its machine; over the socket alone."""
        body = {"path": path, "force": force}
        return await self._get(BackupView, "/overture/v1/backups", body, method="POST")

    async def get_backup(self, backup_id: str) -> BackupView:
        """How far a backup is."""
        return await self._get(BackupView, f"/overture/v1/backups/{_quoted(backup_id)}")

    async def stop_backup(self, backup_id: str) -> None:
        """Stop a backup; nothing of it is left."""
        await self._call("DELETE", f"/overture/v1/backups/{_quoted(backup_id)}")

    async def list_inbox(self, state: str, *, after: str = "", limit: int = 100) -> InboxList:
        """Webhooks that are `unrouted` or `parked`."""
        query = {"state": state, "after": after, "limit": str(limit)}
        return await self._get(InboxList, "/overture/v1/inbox", query=query)

    async def retry_inbox(self, inbox_id: str) -> RetriedWebhook:
        """Have a webhook that was left over handled again."""
        return await self._get(RetriedWebhook, f"/overture/v1/inbox/{_quoted(inbox_id)}/retry", method="POST")

    async def list_deliveries(self, state: str = "needs_review", *, after: str = "", limit: int = 50) -> DeliveryList:
        """Messages that have not left: `needs_review`, `uncertain`, `queued` or `sending`."""
        query = {"state": state, "after": after, "limit": str(limit)}
        return await self._get(DeliveryList, "/overture/v1/deliveries", query=query)

    async def get_delivery(self, message_id: str) -> DeliveryView:
        """What became of a message, with every try."""
        return await self._get(DeliveryView, f"/overture/v1/deliveries/{_quoted(message_id)}")

    async def resend(self, message_id: str, *, valid_seconds: int | None = None) -> DecisionView:
        """Send a message in review once more."""
        path = f"/overture/v1/deliveries/{_quoted(message_id)}/resend"
        return await self._get(DecisionView, path, {"valid_seconds": valid_seconds}, method="POST")

    async def drop(self, message_id: str, *, note: str | None = None) -> DecisionView:
        """Give a message in review up."""
        path = f"/overture/v1/deliveries/{_quoted(message_id)}/drop"
        return await self._get(DecisionView, path, {"note": note}, method="POST")

    async def list_templates(self, **query: str) -> TemplateList:
        """Templates as last fetched, by `approval`, `language`, `name`, `limit` and `offset`."""
        return await self._get(TemplateList, "/overture/v1/templates", query=query)

    async def get_template(self, content_sid: str) -> TemplateView:
        """What is known of a template."""
        return await self._get(TemplateView, f"/overture/v1/templates/{_quoted(content_sid)}")

    async def refresh_templates(self) -> RefreshedTemplates:
        """Have all templates fetched."""
        return await self._get(RefreshedTemplates, "/overture/v1/templates/refresh", method="POST")

    async def preview_template(self, content_sid: str, use: Mapping[str, Json]) -> TemplatePreview:
        """A template with its values; `use` is what the route takes: variables, to, purpose, language."""
        path = f"/overture/v1/templates/{_quoted(content_sid)}/preview"
        return await self._get(TemplatePreview, path, use, method="POST")

    async def get_instance(self) -> InstanceView:
        """Under which URLs the instance is served, and what keeps messages from leaving."""
        return await self._get(InstanceView, "/overture/v1/instance")

    async def adopt_instance(self) -> InstanceView:
        """Make the server's database the instance, under the server's public URLs."""
        return await self._get(InstanceView, "/overture/v1/instance/adopt", method="POST")

    async def health(self) -> Ready:
        """Whether the server takes work, and what keeps it from that."""
        raw, _ = await self._call("GET", "/readyz", accepts={503})
        return _read(raw, Ready)

    async def _get(
        self,
        kind: type[T],
        path: str,
        body: Any = None,
        *,
        method: str = "GET",
        query: Mapping[str, str] | None = None,
    ) -> T:
        raw, _ = await self._call(method, path, body, query=query)
        return _read(raw, kind)

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accepts: frozenset[int] | set[int] = frozenset(),
    ) -> tuple[bytes, Mapping[str, str]]:
        if self._session is None:
            raise RuntimeError("use the client as an asynchronous context")
        data = None if body is None else msgspec.json.encode(body)
        sent = {**(headers or {}), **({} if data is None else {"Content-Type": "application/json"})}
        try:
            async with self._session.request(
                method, self._base + path, data=data, params=query, headers=sent
            ) as answer:
                raw = await answer.read()
                if answer.status >= 400 and answer.status not in accepts:
                    raise _problem(answer.status, raw, answer.headers)
                return raw, answer.headers
        except aiohttp.ClientConnectorError as away:
            raise Unavailable(
                "server_away", f"No server answers at {self._where}.", hint="Start it with `overture serve`."
            ) from away
        except (aiohttp.ClientError, TimeoutError) as broken:
            raise OutcomeUnknown(
                "no_answer",
                f"The server at {self._where} took the call but did not answer ({type(broken).__name__}).",
                hint="It may have been done: look before you repeat it.",
            ) from broken


def _quoted(an_id: str) -> str:
    return quote(an_id, safe="")


def _read(raw: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Failure(
            "unreadable_answer",
            f"The answer is not what this version expects: {wrong}",
            hint="Is it an Overture server, of this version?",
        ) from wrong


def _problem(status: int, raw: bytes, headers: Mapping[str, str]) -> Problem:
    """What the server had, from either of its error shapes."""
    told = _told(raw)
    said = told.description or f"The server answered {status}."
    wait = headers.get("Retry-After", "")
    if status == 429:
        return Limited(told.code, said, retry_after_seconds=int(wait) if wait.isdigit() else 60, hint=told.hint)
    if status == 504:
        return Transient(told.code, said)
    kind = _REFUSALS.get(told.category, Failure)
    return kind(told.code, said, field=told.field, hint=told.hint)


def _told(raw: bytes) -> _Told:
    try:
        whole = msgspec.json.decode(raw, type=_Told)
        if isinstance(whole.detail, dict):
            return msgspec.convert(whole.detail, _Told)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Told()
    whole.description = whole.detail if isinstance(whole.detail, str) else ""
    return whole
