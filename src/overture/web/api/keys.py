"""API keys: make one, see which there are, revoke one."""

from datetime import datetime
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from overture.actions.manage_keys import create_key, revoke_key
from overture.domain.access import Scope
from overture.domain.errors import Invalid, Unknown
from overture.store import api_keys
from overture.web.routes import Answer, Call, delete, get, post

_USUAL: Final = (Scope.SEND, Scope.READ, Scope.WRITE)


class NewKey(Struct, frozen=True, kw_only=True):
    """A key to make."""

    name: Annotated[str, Meta(min_length=1, max_length=100, description="What it is for.")]
    scopes: Annotated[
        list[Scope], Meta(min_length=1, max_length=4, description="What it may do; admin includes the others.")
    ] = field(default_factory=lambda: list(_USUAL))
    expires_at: Annotated[datetime, Meta(tz=True, description="When it stops working.")] | None = None


class CreatedKeyView(Struct, frozen=True, kw_only=True):
    """A new key. `key` is shown this once."""

    kid: str
    key: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None = None


class KeyView(Struct, frozen=True, kw_only=True):
    """A key, without its secret."""

    kid: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyList(Struct, frozen=True, kw_only=True):
    """Every key of the workspace, revoked ones included."""

    keys: list[KeyView]


@post(
    "/overture/v1/keys",
    may=Scope.ADMIN,
    takes=NewKey,
    gives=CreatedKeyView,
    status=201,
    tag="Keys",
    example={"name": "shop", "scopes": ["send", "read"]},
    refusals=(400,),
)
async def create_api_key(call: Call[NewKey, None]) -> CreatedKeyView:
    """Make an API key.

    Its text is in this answer and nowhere else.
    """
    asked = call.body
    if asked.expires_at is not None and asked.expires_at <= call.now:
        raise Invalid("invalid_request", "expires_at has passed.", field="expires_at", hint="Give a later time.")
    made = await call.parts.store.write(
        lambda tx: create_key(
            tx,
            workspace_id=call.workspace_id,
            name=asked.name,
            scopes=asked.scopes,
            now=call.now,
            expires_at=asked.expires_at,
        )
    )
    return CreatedKeyView(
        kid=made.kid,
        key=made.text,
        name=asked.name,
        scopes=sorted(set(asked.scopes)),
        created_at=call.now,
        expires_at=asked.expires_at,
    )


@get("/overture/v1/keys", may=Scope.ADMIN, gives=KeyList, tag="Keys")
async def list_api_keys(call: Call[None, None]) -> KeyList:
    """List API keys.

    Revoked ones are among them; a secret is never shown.
    """
    found = await call.parts.store.read(lambda tx: api_keys.list_all(tx, call.workspace_id))
    return KeyList(
        keys=[
            KeyView(
                kid=key.kid,
                name=key.name,
                scopes=sorted(key.scopes),
                created_at=key.created_at,
                expires_at=key.expires_at,
                revoked_at=key.revoked_at,
            )
            for key in found
        ]
    )


@delete("/overture/v1/keys/{kid}", may=Scope.ADMIN, status=204, tag="Keys", refusals=(404,))
async def revoke_api_key(call: Call[None, None]) -> Any:
    """Revoke an API key.

    It is refused at once here, and within a minute by other processes.
    """
    kid = call.path["kid"]
    since = await call.parts.store.write(
        lambda tx: revoke_key(tx, workspace_id=call.workspace_id, kid=kid, now=call.now)
    )
    if since is None:
        raise Unknown("key_unknown", f"There is no key {kid}.", field="kid", hint="GET /overture/v1/keys lists them.")
    call.parts.keys.forget(kid)
    return Answer(status=204)
