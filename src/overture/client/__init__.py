"""A client of our own API, over TCP with a key or over the socket of the data folder without one.

What the server refuses or cannot do is raised as the same problem that the server had, with its code, field and hint.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from overture.client.accounts import AccountCalls
from overture.client.calling import quoted, read
from overture.client.consents import ConsentCalls
from overture.client.costs import CostCalls
from overture.client.knowledge import KnowledgeCalls
from overture.client.models import ModelCalls
from overture.client.people import PeopleCalls
from overture.client.rules import RuleCalls
from overture.domain.access import Scope
from overture.domain.agent import Json
from overture.domain.remembered_wiring import Remembered
from overture.web.api import wirings
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
from overture.web.api.contact_shapes import ContactView
from overture.web.api.contacts import ContactList, LinkedView
from overture.web.api.conversations import MessageList
from overture.web.api.deliveries import DecisionView, DeliveryList
from overture.web.api.delivery_shapes import DeliveryView
from overture.web.api.inbox import InboxList, RetriedWebhook
from overture.web.api.instance import InstanceView
from overture.web.api.keys import CreatedKeyView, KeyList, KeyView
from overture.web.api.outbound import OutboundChatResponse
from overture.web.api.probes import Ready
from overture.web.api.templates import RefreshedTemplates, TemplateList, TemplatePreview, TemplateView


class StartedChat(Struct, frozen=True, kw_only=True):
    """A conversation is on disk; `replayed` where an earlier call had opened it.

    `scheduled_for` is when its opening leaves, where it waits for quiet hours to end.
    """

    conversation_id: str
    replayed: bool = False
    scheduled_for: datetime | None = None


class Client(AccountCalls, ConsentCalls, CostCalls, KnowledgeCalls, ModelCalls, PeopleCalls, RuleCalls):
    """Calls one server; use it as an asynchronous context. Every method raises a Problem of `domain/errors.py`."""

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
        recipient_timezone: str | None = None,
        expires_in_seconds: int | None = None,
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
            "recipient_timezone": recipient_timezone,
            "expires_in_seconds": expires_in_seconds,
        }
        body = {name: value for name, value in asked.items() if value is not None}
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        raw, answered = await self._call("POST", "/v2/chat/outbound", body, headers=headers)
        started = read(raw, OutboundChatResponse).response
        scheduled_for = answered.get("Overture-Scheduled-For")
        return StartedChat(
            conversation_id=started.conversation_id,
            replayed=answered.get("Overture-Replayed") == "true",
            scheduled_for=None if scheduled_for is None else datetime.fromisoformat(scheduled_for),
        )

    async def open_chat(self, agent_id: str, *, chat_id: str | None = None) -> Chat:
        """Open a chat over the API, under a new id unless one is given."""
        path = "/v2/chat" if chat_id is None else f"/v2/chat/{quoted(chat_id)}"
        return (await self._get(ChatResponse, path, {"model_id": agent_id}, method="POST")).response

    async def say(self, chat_id: str, message: str) -> AgentMessage:
        """Say something in a chat, and wait for the reply."""
        path = f"/v2/chat/{quoted(chat_id)}/messages"
        return (await self._get(ChatMessageResponse, path, {"message": message}, method="POST")).response

    async def get_chat(self, chat_id: str) -> Chat:
        """A conversation on any channel, with everything said in it."""
        return (await self._get(ChatResponse, f"/v2/chat/{quoted(chat_id)}")).response

    async def list_chats(self, *, agent_id: str | None = None, limit: int = 10, cursor: str = "") -> ChatPage:
        """A page of conversations, newest first."""
        asked = {"limit": str(limit), "cursor": cursor, **({} if agent_id is None else {"agent_id": agent_id})}
        return (await self._get(ChatListResponse, "/v2/chat", query=asked)).response

    async def delete_chat(self, chat_id: str) -> None:
        """End a conversation and hide it."""
        await self._call("DELETE", f"/v2/chat/{quoted(chat_id)}")

    async def list_messages(self, conversation_id: str, *, after: int = 0, limit: int = 100) -> MessageList:
        """A conversation's messages after a sequence number, with what became of each."""
        path = f"/overture/v1/conversations/{quoted(conversation_id)}/messages"
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
        return await self._get(WholeAgent, f"/overture/v1/agents/{quoted(agent_id)}")

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
        await self._call("DELETE", f"/overture/v1/keys/{quoted(kid)}")

    async def start_backup(self, path: str, *, force: bool = False) -> BackupView:
        """Begin to back the server's database up into a file of its machine; over the socket alone."""
        body = {"path": path, "force": force}
        return await self._get(BackupView, "/overture/v1/backups", body, method="POST")

    async def get_backup(self, backup_id: str) -> BackupView:
        """How far a backup is."""
        return await self._get(BackupView, f"/overture/v1/backups/{quoted(backup_id)}")

    async def stop_backup(self, backup_id: str) -> None:
        """Stop a backup; nothing of it is left."""
        await self._call("DELETE", f"/overture/v1/backups/{quoted(backup_id)}")

    async def list_inbox(self, state: str, *, after: str = "", limit: int = 100) -> InboxList:
        """Webhooks that are `unrouted` or `parked`."""
        query = {"state": state, "after": after, "limit": str(limit)}
        return await self._get(InboxList, "/overture/v1/inbox", query=query)

    async def retry_inbox(self, inbox_id: str) -> RetriedWebhook:
        """Have a webhook that was left over handled again."""
        return await self._get(RetriedWebhook, f"/overture/v1/inbox/{quoted(inbox_id)}/retry", method="POST")

    async def list_deliveries(self, state: str = "needs_review", *, after: str = "", limit: int = 50) -> DeliveryList:
        """Messages that have not left: `needs_review`, `uncertain`, `queued` or `sending`."""
        query = {"state": state, "after": after, "limit": str(limit)}
        return await self._get(DeliveryList, "/overture/v1/deliveries", query=query)

    async def get_delivery(self, message_id: str) -> DeliveryView:
        """What became of a message, with every try."""
        return await self._get(DeliveryView, f"/overture/v1/deliveries/{quoted(message_id)}")

    async def resend(self, message_id: str, *, valid_seconds: int | None = None) -> DecisionView:
        """Send a message in review once more."""
        path = f"/overture/v1/deliveries/{quoted(message_id)}/resend"
        return await self._get(DecisionView, path, {"valid_seconds": valid_seconds}, method="POST")

    async def drop(self, message_id: str, *, note: str | None = None) -> DecisionView:
        """Give a message in review up."""
        path = f"/overture/v1/deliveries/{quoted(message_id)}/drop"
        return await self._get(DecisionView, path, {"note": note}, method="POST")

    async def find_contact(self, address: str) -> ContactView | None:
        """The contact that has an address, if anybody does."""
        found = await self._get(ContactList, "/overture/v1/contacts", query={"address": address})
        return next(iter(found.contacts), None)

    async def get_contact(self, contact_id: str) -> ContactView:
        """A contact with its addresses, its consent and its threads."""
        return await self._get(ContactView, f"/overture/v1/contacts/{quoted(contact_id)}")

    async def link_address(self, contact_id: str, address: str) -> LinkedView:
        """Let a contact be known by a further address; another contact that has it becomes this one."""
        path = f"/overture/v1/contacts/{quoted(contact_id)}/aliases"
        return await self._get(LinkedView, path, {"address": address}, method="POST")

    async def unlink_address(self, contact_id: str, address: str) -> LinkedView:
        """Make an address of a contact a contact of its own."""
        path = f"/overture/v1/contacts/{quoted(contact_id)}/aliases/{quoted(address)}"
        return await self._get(LinkedView, path, method="DELETE")

    async def list_templates(self, **query: str) -> TemplateList:
        """Templates as last fetched, by `approval`, `language`, `name`, `limit` and `offset`."""
        return await self._get(TemplateList, "/overture/v1/templates", query=query)

    async def get_template(self, content_sid: str) -> TemplateView:
        """What is known of a template."""
        return await self._get(TemplateView, f"/overture/v1/templates/{quoted(content_sid)}")

    async def refresh_templates(self) -> RefreshedTemplates:
        """Have all templates fetched."""
        return await self._get(RefreshedTemplates, "/overture/v1/templates/refresh", method="POST")

    async def preview_template(self, content_sid: str, use: Mapping[str, Json]) -> TemplatePreview:
        """A template with its values; `use` is what the route takes: variables, to, purpose, language."""
        path = f"/overture/v1/templates/{quoted(content_sid)}/preview"
        return await self._get(TemplatePreview, path, use, method="POST")

    async def get_instance(self) -> InstanceView:
        """Under which URLs the instance is served, and what keeps messages from leaving."""
        return await self._get(InstanceView, "/overture/v1/instance")

    async def adopt_instance(self) -> InstanceView:
        """Make the server's database the instance, under the server's public URLs."""
        return await self._get(InstanceView, "/overture/v1/instance/adopt", method="POST")

    async def remember_wirings(self, which: Sequence[Remembered]) -> None:
        """Keep what places at the provider were set to, before they are changed; 500 at most."""
        body = wirings.NewWirings(wirings=[wirings.to_view(one) for one in which])
        await self._call("POST", "/overture/v1/wirings", body)

    async def list_wirings(self) -> list[Remembered]:
        """Every place that was connected."""
        found: list[Remembered] = []
        while True:
            query = {"limit": "500", "after": found[-1].sid if found else ""}
            page = (await self._get(wirings.WiringList, "/overture/v1/wirings", query=query)).wirings
            found += [wirings.to_remembered(view) for view in page]
            if len(page) < 500:
                return found

    async def forget_wiring(self, sid: str) -> None:
        """Forget what a place was set to."""
        await self._call("DELETE", f"/overture/v1/wirings/{quoted(sid)}")

    async def health(self) -> Ready:
        """Whether the server takes work, and what keeps it from that."""
        raw, _ = await self._call("GET", "/readyz", accepts={503})
        return read(raw, Ready)
