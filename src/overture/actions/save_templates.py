"""Keep what the provider told of its templates: one that was asked for, or all of an account."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from overture.domain.template import Template
from overture.store import templates
from overture.store.engine import Writing


class Refreshed(Struct, frozen=True, kw_only=True):
    """What a refresh of an account came to. `why` is the sentence where its templates could not be fetched."""

    account_sid: str
    templates: int = 0
    gone: int = 0
    code: str | None = None
    why: str | None = None


async def save_template(
    tx: Writing, *, workspace_id: str, account_sid: str, content_sid: str, found: Template | None, asked_at: datetime
) -> None:
    """Keep a template as it is, or that it is gone (`found` is None). The caller commits."""
    if found is None:
        await templates.mark_gone(tx, workspace_id, account_sid, content_sid, asked_at)
    else:
        await templates.save(tx, workspace_id, [found], asked_at)


async def save_templates(
    tx: Writing, *, workspace_id: str, account_sid: str, found: Sequence[Template], asked_at: datetime
) -> Refreshed:
    """Keep all templates of an account; those that are not among them are gone. The caller commits."""
    await templates.save(tx, workspace_id, found, asked_at)
    gone = await templates.mark_unseen(tx, workspace_id, account_sid, asked_at)
    return Refreshed(account_sid=account_sid, templates=len(found), gone=len(gone))
