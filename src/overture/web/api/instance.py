"""The instance: under which URLs it is served, and what keeps its queues shut; and making a copy the instance."""

from datetime import datetime, timedelta
from typing import Final, assert_never

from msgspec import Struct

from overture.actions.adopt_instance import adopt_instance
from overture.domain.access import Scope
from overture.store import instances, sweeps
from overture.store.accounts import ShutBecause
from overture.store.engine import Reading
from overture.store.instances import Binding
from overture.store.sweeps import Standing, Waiting
from overture.web.routes import Call, get, post

_NOTED_AFTER: Final = timedelta(minutes=1)  # a sweep at start takes seconds


class AccountView(Struct, frozen=True, kw_only=True):
    """A provider account: when its list was last read, down to which time all is known, and since when it waits.

    `shut_since` is null where its messages leave. `listens` tells whether webhooks of its senders have reached us: only
    then is it swept.
    """

    account_sid: str
    listens: bool
    swept_at: datetime | None
    swept_to: datetime | None
    breaker: str
    shut_since: datetime | None


class InstanceView(Struct, frozen=True, kw_only=True):
    """The instance. `public_urls` are those that its database is bound to, `served_under` those of this server.

    `shut_because` says why it is taken for a copy, and sends and sweeps nothing; null where it is not.
    """

    id: str
    public_urls: list[str]
    served_under: list[str]
    shut_because: str | None
    accounts: list[AccountView]
    notes: list[str]


@get("/overture/v1/instance", may=Scope.READ, gives=InstanceView, tag="Operations")
async def read_instance(call: Call[None, None]) -> InstanceView:
    """Get the instance.

    Under which URLs it is served, how far each account was swept, and what keeps messages from leaving.
    """
    return await call.parts.store.read(lambda tx: _view(tx, call))


@post("/overture/v1/instance/adopt", may=Scope.ADMIN, gives=InstanceView, tag="Operations")
async def adopt_copied_instance(call: Call[None, None]) -> InstanceView:
    """Make this database the instance.

    For a copy or a move: the database is bound to this server's public URLs from now on, and messages leave after the
    next sweep. Stop the original first: two instances would write to the same people.
    """
    await call.parts.store.write(
        lambda tx: adopt_instance(tx, call.workspace_id, call.parts.public_urls, call.now, call.parts.ids)
    )
    call.parts.signals.wake("sweep")
    return await call.parts.store.read(lambda tx: _view(tx, call))


async def read_notes(tx: Reading, now: datetime, workspace_id: str | None = None) -> list[str]:
    """What an operator should know though calls are taken: what does not leave, and why; of one workspace or all."""
    bound = await instances.find_binding(tx)
    if bound is not None and bound.shut_because is not None:
        return [f"{bound.shut_because} Nothing is sent or swept until `overture adopt`."]
    return [_note(one) for one in await sweeps.list_waiting(tx, now - _NOTED_AFTER, workspace_id)]


async def _view(tx: Reading, call: Call[None, None]) -> InstanceView:
    bound = await instances.find_binding(tx)
    if bound is None:
        bound = Binding(instance_id="", public_urls=(), shut_because=None)
    return InstanceView(
        id=bound.instance_id,
        public_urls=list(bound.public_urls),
        served_under=list(call.parts.public_urls),
        shut_because=bound.shut_because,
        accounts=[_account(one) for one in await sweeps.list_standing(tx, call.workspace_id)],
        notes=await read_notes(tx, call.now, call.workspace_id),
    )


def _account(standing: Standing) -> AccountView:
    return AccountView(
        account_sid=standing.account_sid,
        listens=standing.listens,
        swept_at=standing.swept_at,
        swept_to=standing.swept_to,
        breaker=standing.breaker.value,
        shut_since=standing.first_shut,
    )


def _note(waiting: Waiting) -> str:
    since = f"Messages of account {waiting.account_sid} have waited since {waiting.since:%Y-%m-%d %H:%M} UTC:"
    match waiting.because:
        case ShutBecause.START:
            return f"{since} its list of messages could not be read since the start. It is tried every half minute."
        case ShutBecause.BREAKER:
            return f"{since} the provider does not answer. It is tried every half minute."
        case ShutBecause.RESTORE:
            return f"{since} after the restore it is still being found out what had been sent before."
        case _ as never:
            assert_never(never)
