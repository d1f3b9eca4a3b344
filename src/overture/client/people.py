"""The client's calls about conversations and the people who carry them."""

from typing import Any

from overture.client.calling import Caller, quoted, read
from overture.web.api.people_shapes import (
    ConversationList,
    ConversationView,
    EndedView,
    HandedBackView,
    TakenOverView,
    WrittenView,
)


class PeopleCalls(Caller):
    """Calls about who has a conversation."""

    async def list_conversations(
        self, *, mode: str | None = None, waiting: bool = False, live: bool = False, limit: int = 50, cursor: str = ""
    ) -> ConversationList:
        """A page of conversations: those that wait for a person, the longest first, or the newest."""
        asked = {"limit": str(limit), "cursor": cursor, "waiting": str(waiting).lower(), "live": str(live).lower()}
        return await self._get(
            ConversationList, "/overture/v1/conversations", query=asked if mode is None else {**asked, "mode": mode}
        )

    async def get_conversation(self, conversation_id: str) -> ConversationView:
        """Who has a conversation, and whether its contact waits."""
        return await self._get(ConversationView, f"/overture/v1/conversations/{quoted(conversation_id)}")

    async def take_over(self, conversation_id: str, *, by: str | None = None, note: str | None = None) -> TakenOverView:
        """Take a conversation over."""
        return await self._get(
            TakenOverView, _path(conversation_id, "takeover"), _given(by=by, note=note), method="POST"
        )

    async def write_message(
        self, conversation_id: str, *, idempotency_key: str | None = None, **fields: Any
    ) -> WrittenView:
        """Write a message by hand; `fields` are those of `WriteMessage`."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        path = _path(conversation_id, "messages")
        raw, _ = await self._call("POST", path, _given(**fields), headers=headers)
        return read(raw, WrittenView)

    async def hand_back(self, conversation_id: str, *, say: str | None = None, by: str | None = None) -> HandedBackView:
        """Hand a conversation back to its agent, after a last word."""
        return await self._get(
            HandedBackView, _path(conversation_id, "handback"), _given(say=say, by=by), method="POST"
        )

    async def end_conversation(self, conversation_id: str, **fields: Any) -> EndedView:
        """End a conversation; `fields` are those of `EndConversation`."""
        return await self._get(EndedView, _path(conversation_id, "end"), _given(**fields), method="POST")


def _path(conversation_id: str, verb: str) -> str:
    return f"/overture/v1/conversations/{quoted(conversation_id)}/{verb}"


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
