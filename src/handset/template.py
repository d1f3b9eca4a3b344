"""A Content template: what the configuration names and the Content API makes."""

from typing import Annotated, Any, Literal

import msgspec

Sid = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}[0-9a-fA-F]{32}$")]


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Content template with its WhatsApp approval. `types` are the Content API's; without them it is text, `body`."""

    sid: Sid
    name: str
    body: str = ""
    types: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    language: str = "en"
    category: Literal["UTILITY", "MARKETING", "AUTHENTICATION"] = "UTILITY"
    approval: Literal["unsubmitted", "received", "pending", "approved", "rejected", "paused", "disabled"] = "approved"
    rejection_reason: str = ""
    variables: dict[str, str] = msgspec.field(default_factory=dict)
    account: Sid | None = None

    @property
    def shapes(self) -> dict[str, dict[str, Any]]:
        """The content types that it has, and what each holds."""
        return self.types or {"twilio/text": {"body": self.body}}
