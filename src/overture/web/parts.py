"""What the doors need of the house; bootstrap hands it in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from overture.actions.openings import Answer
from overture.domain.ports import AccountsInForce, Ids, RawEvent, Vault, WebhookVerifier
from overture.domain.sending import Start
from overture.store.backups import Backups
from overture.store.batch import Batch
from overture.store.engine import Store
from overture.store.signals import Signals
from overture.web.remembered_keys import RememberedKeys


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Running parts.

    `reply_wait_seconds` is how long a chat's post waits for its reply; `is_draining` tells whether the server is about
    to stop; `health` names what is wrong, nothing where all is well; `public_urls` are those this process is served
    under. `refresh_accounts` puts stored accounts in force as they are now. `keys` are remembered for all doors
    together, so that a key revoked at one is refused at every other.
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
    public_urls: tuple[str, ...] = ()
    backups: Backups = field(default_factory=lambda: Backups(None))
    keys: RememberedKeys = field(default_factory=RememberedKeys)
