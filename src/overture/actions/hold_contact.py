"""Hold contacts as they were read, until the commit: whoever merges or parts one waits, or was first and is seen."""

from collections.abc import Mapping

from overture.domain.sending import KnownContact
from overture.store import contacts
from overture.store.engine import Writing


async def find_changed(tx: Writing, known: Mapping[int, tuple[str, KnownContact]]) -> set[int]:
    """Of contacts as they were read, each with its workspace, those that are others now; the rest stays as it is."""
    if not known:
        return set()
    held = await contacts.hold(tx, [(workspace, contact.address) for workspace, contact in known.values()])
    changed = set()
    for n, (workspace, contact) in known.items():
        now = held.get((workspace, contact.address))
        if now is None or (now.id, now.revision, now.alias_of) != (contact.id, contact.revision, None):
            changed.add(n)
    return changed
