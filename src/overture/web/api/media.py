"""What came with messages: a list of each conversation's media, and each one as it was sent."""

from typing import Final

from msgspec import Struct

from overture.domain.access import Scope
from overture.domain.errors import NotAllowed, Unknown
from overture.store import conversations, media
from overture.store.engine import Reading
from overture.store.media import Medium, MediumState
from overture.web.routes import Answer, Call, get

_MOST: Final = 500  # fifty messages of ten media

_IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
_SHOWN: Final = frozenset({*_IMAGES, "audio/ogg", "audio/mpeg", "audio/amr", "video/mp4", "video/3gpp"})
"""What is told to be what it says it is; anything else is bytes, whatever a stranger calls it."""


class MediaList(Struct, frozen=True, kw_only=True):
    """The media of a conversation, in the order they came."""

    media: list[Medium]


@get(
    "/overture/v1/conversations/{conversation_id}/media",
    may=Scope.READ,
    gives=MediaList,
    tag="Operations",
    refusals=(404,),
)
async def list_media(call: Call[None, None]) -> MediaList:
    """List what came with a conversation's messages.

    Each is fetched from the provider once its message is kept; until then its state is `waiting`, and it is `lost`
    where the provider did not give it.
    """
    an_id = call.path["conversation_id"]

    async def look(tx: Reading) -> list[Medium]:
        if not await _is_there(tx, call.workspace_id, an_id):
            raise Unknown("conversation_unknown", f"Conversation {an_id} does not exist.", field="conversation_id")
        return await media.list_of_conversation(tx, call.workspace_id, an_id, _MOST)

    return MediaList(media=await call.parts.store.read(look))


@get(
    "/overture/v1/media/{medium_id}",
    may=Scope.READ,
    gives=bytes,
    media="application/octet-stream",
    tag="Operations",
    refusals=(400, 404),
)
async def get_medium(call: Call[None, None]) -> Answer:
    """Fetch one medium, as the contact sent it."""
    an_id = call.path["medium_id"]

    async def look(tx: Reading) -> tuple[Medium, bytes | None]:
        found = await media.find(tx, call.workspace_id, an_id)
        if found is None or not await _is_there(tx, call.workspace_id, found[0].conversation_id):
            raise Unknown("medium_unknown", f"Medium {an_id} does not exist.", field="medium_id")
        return found

    medium, body = await call.parts.store.read(look)
    if body is None:
        raise NotAllowed("medium_not_here", _why(medium), field="medium_id")
    kind = medium.content_type if medium.content_type in _SHOWN else "application/octet-stream"
    return Answer(body=body, content_type=kind.encode(), headers=((b"content-disposition", b"attachment"),))


async def _is_there(tx: Reading, workspace_id: str, conversation_id: str) -> bool:
    conversation = await conversations.find(tx, workspace_id, conversation_id)
    return conversation is not None and conversation.deleted_at is None


def _why(medium: Medium) -> str:
    if medium.state is MediumState.WAITING:
        return "The medium is still being fetched." if medium.reason is None else f"Not fetched yet: {medium.reason}"
    return f"The medium was not to be had: {medium.reason}"
