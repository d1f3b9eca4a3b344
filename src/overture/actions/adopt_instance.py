"""Tell a database from its copy, and make a copy the instance: by the public URLs that it is served under."""

from collections.abc import Sequence
from datetime import datetime

from overture.actions.mark_restored import mark_restored
from overture.domain import binding
from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.store import events, instances, sweeps
from overture.store.engine import Writing
from overture.store.instances import Binding


async def recognise_instance(
    tx: Writing, workspace_id: str, public_urls: Sequence[str], now: datetime, ids: Ids, *, may_shut: bool = True
) -> Binding:
    """Bind the database to the URLs it is served under, or shut it where they are all others. The caller commits.

    One URL that both know is enough, and then all are known: host names move one by one. What was shut stays so until
    it is adopted. The original may have gone on since the copy was made, so a copy is marked as a restored backup is:
    nothing it had queued leaves before the provider was asked. A process that sends nothing itself shuts nothing
    (`may_shut`); it is told all the same.
    """
    known = await instances.lock_binding(tx)
    if known is None:
        raise RuntimeError("the instance was not made before it was recognised")
    if binding.is_copy(known.public_urls, public_urls):
        because = _because(known.public_urls, binding.binding_urls(public_urls))
        if known.shut_because is None and may_shut:
            await mark_restored(tx, now, ids)
            await instances.bind(tx, known.instance_id, known.public_urls, because)
            await _tell(tx, EventKind.INSTANCE_SHUT, workspace_id, now, ids, because)
        return Binding(
            instance_id=known.instance_id,
            public_urls=known.public_urls,
            shut_because=known.shut_because or because,
        )
    urls = tuple(dict.fromkeys((*known.public_urls, *binding.binding_urls(public_urls))))
    if urls != known.public_urls:
        await instances.bind(tx, known.instance_id, urls, known.shut_because)
    return Binding(instance_id=known.instance_id, public_urls=urls, shut_because=known.shut_because)


async def adopt_instance(
    tx: Writing, workspace_id: str, public_urls: Sequence[str], now: datetime, ids: Ids
) -> Binding:
    """Make this database the instance, under these URLs and no others; it sends after its next sweep.

    An instance that nothing was wrong with goes on as it is. The caller commits.
    """
    known = await instances.lock_binding(tx)
    if known is None:
        raise RuntimeError("the instance was not made before it was adopted")
    urls = binding.binding_urls(public_urls)
    await instances.bind(tx, known.instance_id, urls, None)
    if known.shut_because is not None:
        await sweeps.shut_at_start(tx, now)
        told = f"It is bound to {_list(urls)} from now on." if urls else "It is bound to no public URL for now."
        await _tell(tx, EventKind.INSTANCE_ADOPTED, workspace_id, now, ids, told)
    return Binding(instance_id=known.instance_id, public_urls=urls, shut_because=None)


async def _tell(tx: Writing, kind: EventKind, workspace_id: str, now: datetime, ids: Ids, description: str) -> None:
    await events.insert_all(tx, [events.make(ids, kind, workspace_id, None, now, description=description)], now)


def _because(bound: Sequence[str], served: Sequence[str]) -> str:
    now = f"under {_list(served)}" if served else "without a public URL"
    return f"The database belongs to {_list(bound)} and was started {now}: it may be a copy."


def _list(urls: Sequence[str]) -> str:
    return " and ".join(urls)
