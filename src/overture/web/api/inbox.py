"""Webhooks that nothing could be made of: which there are, and another try once the reason is gone."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from overture.actions.retry_webhook import retry_webhook
from overture.domain.access import Scope
from overture.store import inbox
from overture.store.inbox import LeftOver
from overture.web.routes import Call, get, post

_MOST: Final = 500


class ListInbox(Struct, frozen=True, kw_only=True):
    """Which webhooks: `unrouted` ones found no sender of ours, `parked` ones failed again and again."""

    state: Annotated[Literal["unrouted", "parked"], Meta(description="What kept them from being handled.")]
    after: Annotated[str, Meta(max_length=64, description="Those after this id.")] = ""
    limit: Annotated[int, Meta(ge=1, le=_MOST, description="How many.")] = 100


class InboxList(Struct, frozen=True, kw_only=True):
    """Webhooks that nothing could be made of, oldest first."""

    events: list[LeftOver]
    has_more: bool


class RetriedWebhook(Struct, frozen=True, kw_only=True):
    """A webhook that is due; `changed` is false where it was so before."""

    id: str
    changed: bool


@get("/overture/v1/inbox", may=Scope.ADMIN, asks=ListInbox, gives=InboxList, tag="Operations", refusals=(400,))
async def list_inbox(call: Call[None, ListInbox]) -> InboxList:
    """List webhooks that were left over.

    They were kept but could not be handled: no sender of ours, or one failure after another.
    """
    asked = call.query
    found = await call.parts.store.read(
        lambda tx: inbox.list_left_over_of(tx, call.workspace_id, asked.state, after=asked.after, limit=asked.limit + 1)
    )
    return InboxList(events=found[: asked.limit], has_more=len(found) > asked.limit)


@post(
    "/overture/v1/inbox/{inbox_id}/retry",
    may=Scope.ADMIN,
    gives=RetriedWebhook,
    tag="Operations",
    refusals=(400, 404),
)
async def retry_inbox(call: Call[None, None]) -> RetriedWebhook:
    """Try a webhook again.

    It is due at once, as if it had just come: a message to a sender that was missing is routed once the sender is
    there. It keeps the time at which it was received.
    """
    an_id = call.path["inbox_id"]
    changed = await call.parts.store.write(
        lambda tx: retry_webhook(tx, workspace_id=call.workspace_id, inbox_id=an_id, now=call.now)
    )
    if changed:
        call.parts.signals.wake("inbox")
    return RetriedWebhook(id=an_id, changed=changed)
