"""What the doors need of the house; bootstrap hands it in."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from overture.actions.openings import Answer
from overture.actions.save_templates import Refreshed
from overture.domain.errors import Unknown
from overture.domain.model_check import Checked
from overture.domain.ports import AccountsInForce, Ids, RawEvent, Vault, WebhookVerifier
from overture.domain.sending import Start
from overture.domain.tool_address import Surroundings
from overture.store.backups import Backups
from overture.store.batch import Batch
from overture.store.engine import Store
from overture.store.signals import Signals
from overture.turns.meaning import Meaning
from overture.web.remembered_keys import RememberedKeys


class Templates(Protocol):
    """Has the provider's templates fetched."""

    async def look_up(self, start: Start) -> Start:
        """A call whose template was fetched where that was worth it. Raises Unavailable, for our database alone."""
        ...

    async def refresh(self, workspace_id: str) -> list[Refreshed]:
        """Fetch all of a workspace's templates. Raises Unavailable, for our database alone."""
        ...


class NoTemplates:
    """Templates where there is no provider: each call goes on as it is."""

    async def look_up(self, start: Start) -> Start:
        """The call as it is."""
        return start

    async def refresh(self, workspace_id: str) -> list[Refreshed]:
        """Nothing."""
        return []


class ModelEndpoint(Protocol):
    """A model endpoint of the settings."""

    @property
    def name(self) -> str: ...
    @property
    def base_url(self) -> str: ...
    @property
    def model(self) -> str: ...


class Models(Protocol):
    """Knows what model endpoints can do."""

    async def list_all(self) -> Sequence[tuple[ModelEndpoint, Checked | None]]:
        """The endpoints, the default one first, each with its last check."""
        ...

    async def check(self, name: str | None) -> Checked:
        """Check an endpoint. Raises Unknown."""
        ...


class NoModels:
    """Models where none is set up."""

    async def list_all(self) -> Sequence[tuple[ModelEndpoint, Checked | None]]:
        """None."""
        return []

    async def check(self, name: str | None) -> Checked:
        """Nothing is there to be checked."""
        raise Unknown("model_unknown", "No model is set up.", hint="Set a model endpoint in the settings.")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Running parts.

    `reply_wait_seconds` is how long a chat's post waits for its reply; `is_draining` tells whether the server is about
    to stop; `health` names what is wrong, nothing where all is well; `public_urls` are those this process is served
    under; `tool_surroundings` is what agents' tools may use, for the linter. `refresh_accounts` puts stored accounts in
    force as they are now. `keys` are remembered for all doors together, so that a key revoked at one is refused at
    every other.
    """

    store: Store
    ids: Ids
    signals: Signals
    starts: Batch[Start, Answer]
    webhooks: Batch[RawEvent, bool]
    verifier: WebhookVerifier
    accounts: AccountsInForce
    refresh_accounts: Callable[[], Awaitable[None]]
    vault: Vault
    is_draining: Callable[[], bool]
    health: Callable[[], Awaitable[list[str]]]
    reply_wait_seconds: float = 15.0
    model_endpoints: tuple[str, ...] = ()
    tool_surroundings: Surroundings | None = None
    public_urls: tuple[str, ...] = ()
    meaning: Meaning | None = None
    backups: Backups = field(default_factory=lambda: Backups(None))
    templates: Templates = field(default_factory=NoTemplates)
    models: Models = field(default_factory=NoModels)
    keys: RememberedKeys = field(default_factory=RememberedKeys)
