"""A template that is known to our own workspace."""

from typing import Any

from overture.actions.save_templates import save_template
from overture.domain.template import Approval, Category, Content, Template
from tests.web.conftest import ACCOUNT, WORKSPACE, World

SID = "HX" + "0" * 31 + "1"


async def a_template(world: World, sid: str = SID, **changes: Any) -> str:
    """Keep a template, an approved greeting unless told otherwise; its SID."""
    given: dict[str, Any] = {
        "content_sid": sid,
        "account_sid": ACCOUNT,
        "name": "greeting",
        "language": "en",
        "contents": (Content(type="twilio/text", text="Hello {{1}}!"),),
        "category": Category.UTILITY,
        "approval": Approval.APPROVED,
        "samples": {"1": "you"},
    }
    found = Template(**(given | changes))
    await world.store.write(
        lambda tx: save_template(
            tx, workspace_id=WORKSPACE, account_sid=ACCOUNT, content_sid=sid, found=found, asked_at=world.store.now()
        )
    )
    return sid
