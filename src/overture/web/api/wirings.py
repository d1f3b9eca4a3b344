"""What the provider's numbers, services and WhatsApp senders were set to before they were connected."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from overture.actions.remember_wiring import forget_wiring, remember_wirings
from overture.domain.access import Scope
from overture.domain.errors import Unknown
from overture.domain.remembered_wiring import Remembered
from overture.domain.wiring import Place, Setting
from overture.store import wirings
from overture.web.routes import SPEC_BODY, Answer, Call, delete, get, post

_MOST: Final = 500
Sid = Annotated[str, Meta(pattern=r"^[A-Z]{2}[0-9a-fA-F]{32}$")]
Url = Annotated[str, Meta(max_length=4000)]


class SettingView(Struct, frozen=True, kw_only=True):
    """Where a place sends what comes in; an application goes before the address."""

    url: Url = ""
    method: Annotated[str, Meta(max_length=10)] = "POST"
    application_sid: Annotated[str, Meta(max_length=34)] = ""


class WiringView(Struct, frozen=True, kw_only=True):
    """A number, a Messaging Service or a WhatsApp sender that was connected."""

    account_sid: Sid
    sid: Sid
    place: Place
    addresses: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=5000)]
    before: SettingView
    became: SettingView


class NewWirings(Struct, frozen=True, kw_only=True):
    """Places that are about to be connected."""

    wirings: Annotated[list[WiringView], Meta(min_length=1, max_length=_MOST)]


class WiringList(Struct, frozen=True, kw_only=True):
    """A page of places, by their SID."""

    wirings: list[WiringView]


class Asked(Struct, frozen=True, kw_only=True):
    """Which page."""

    after: Annotated[str, Meta(max_length=34, description="Only those after this SID.")] = ""
    limit: Annotated[int, Meta(ge=1, le=_MOST, description="How many at most.")] = 100


@post(
    "/overture/v1/wirings",
    may=Scope.ADMIN,
    takes=NewWirings,
    status=204,
    tag="Accounts",
    body_limit=SPEC_BODY,
    refusals=(400,),
)
async def remember_wiring(call: Call[NewWirings, None]) -> Any:
    """Remember what places at the provider were set to.

    `overture twilio connect` does so before it changes any. A place that is known is remembered anew.
    """
    which = [to_remembered(view) for view in call.body.wirings]
    await call.parts.store.write(lambda tx: remember_wirings(tx, call.workspace_id, which, call.now))
    return Answer(status=204)


@get("/overture/v1/wirings", may=Scope.ADMIN, asks=Asked, gives=WiringList, tag="Accounts", refusals=(400,))
async def list_wirings(call: Call[None, Asked]) -> WiringList:
    """List what places at the provider were set to before they were connected."""
    found = await call.parts.store.read(
        lambda tx: wirings.list_after(tx, call.workspace_id, after=call.query.after, limit=call.query.limit)
    )
    return WiringList(wirings=[to_view(one) for one in found])


@delete("/overture/v1/wirings/{sid}", may=Scope.ADMIN, status=204, tag="Accounts", refusals=(404,))
async def forget_place(call: Call[None, None]) -> Any:
    """Forget what a place was set to; nothing changes at the provider."""
    sid = call.path["sid"]
    if not await call.parts.store.write(lambda tx: forget_wiring(tx, call.workspace_id, sid)):
        hint = "GET /overture/v1/wirings lists what is remembered."
        raise Unknown("wiring_unknown", f"Nothing is remembered of {sid}.", field="sid", hint=hint)
    return Answer(status=204)


def to_view(wiring: Remembered) -> WiringView:
    """A place as it travels."""
    return WiringView(
        account_sid=wiring.account_sid,
        sid=wiring.sid,
        place=wiring.place,
        addresses=list(wiring.addresses),
        before=_setting_view(wiring.before),
        became=_setting_view(wiring.became),
    )


def to_remembered(view: WiringView) -> Remembered:
    """A place as it is kept."""
    return Remembered(
        account_sid=view.account_sid,
        sid=view.sid,
        place=view.place,
        addresses=tuple(view.addresses),
        before=_setting(view.before),
        became=_setting(view.became),
    )


def _setting_view(setting: Setting) -> SettingView:
    return SettingView(url=setting.url, method=setting.method, application_sid=setting.application_sid)


def _setting(view: SettingView) -> Setting:
    return Setting(url=view.url, method=view.method, application_sid=view.application_sid)
