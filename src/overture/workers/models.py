"""The models' road: endpoints are checked when somebody asks for it, and every process asks them as was found right."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from overture.domain.errors import Unknown
from overture.domain.model_check import Checked, Found
from overture.store import model_checks
from overture.store.engine import Store
from overture.store.signals import Signals

ROAD: Final = "models"
LONGEST_WAIT_SECONDS: Final = 2.0  # a hint that got lost costs as much; the table has a handful of rows


class Endpoint(Struct, frozen=True, kw_only=True):
    """A model endpoint of the settings, without its key. `check` asks it; `checked` is what that found last."""

    name: str
    base_url: str
    model: str
    check: Callable[[], Awaitable[Found]]


class ModelRoad:
    """Follows the checks; `adopt` is told all of them, at once here and within seconds in other processes."""

    def __init__(
        self,
        *,
        store: Store,
        signals: Signals,
        endpoints: Sequence[Endpoint],
        adopt: Callable[[Sequence[Checked]], None],
    ) -> None:
        self._store: Final = store
        self._signals: Final = signals
        self._endpoints: Final[Mapping[str, Endpoint]] = {one.name: one for one in endpoints}
        self._adopt: Final = adopt

    async def look(self) -> float | None:
        """Put in force what the last checks found."""
        self._adopt(await self._store.read(model_checks.list_all))
        return None

    async def list_all(self) -> list[tuple[Endpoint, Checked | None]]:
        """The endpoints of the settings, the default one first, each with its last check."""
        checks = {(one.base_url, one.model): one for one in await self._store.read(model_checks.list_all)}
        return [(one, checks.get((one.base_url, one.model))) for one in self._endpoints.values()]

    async def check(self, name: str | None) -> Checked:
        """Check an endpoint, None being the default one, and keep what was found. Raises Unknown."""
        first = next(iter(self._endpoints.values()), None)
        endpoint = first if name is None else self._endpoints.get(name)
        if endpoint is None:
            known = ", ".join(self._endpoints)
            raise Unknown(
                "model_unknown",
                "No model is set up." if not known else f"There is no model endpoint {name!r}.",
                hint=f"There are: {known}." if known else "Set OVERTURE_MODEL_BASE_URL and OVERTURE_MODEL_NAME.",
            )
        found = await endpoint.check()
        checked = Checked(base_url=endpoint.base_url, model=endpoint.model, found=found, checked_at=self._store.now())
        if found.chats:  # one that is away tells nothing new of what it can do
            await self._store.write(lambda tx: model_checks.put(tx, checked))
            await self.look()
            self._signals.wake(ROAD)
        return checked
