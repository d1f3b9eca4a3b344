"""The page of phones."""

from starlette.routing import BaseRoute

from handset.carrier.carrier import Carrier
from handset.config import Config
from handset.inspection import Inspection
from handset.state.feed import Feed


class Page:
    """The phones, side by side."""

    def __init__(self, *, config: Config, carrier: Carrier, feed: Feed, inspection: Inspection) -> None:
        self._config = config
        self._carrier = carrier
        self._feed = feed
        self._inspection = inspection

    def routes(self) -> list[BaseRoute]:
        """The page's routes."""
        return []
