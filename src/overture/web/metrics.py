"""What is counted at the doors, in Prometheus' form."""

from functools import cache
from typing import Final

from prometheus_client import Counter

_REQUESTS: Final = Counter("overture_http_requests", "Requests by route and status.", ["method", "route", "status"])
_WEBHOOKS: Final = Counter("overture_webhooks", "Webhooks by kind and what became of them.", ["kind", "outcome"])


@cache  # the routes times a dozen statuses
def requests(method: str, route: str, status: int) -> Counter:
    """Counts the requests of a route that were answered with a status."""
    return _REQUESTS.labels(method, route, str(status))


@cache
def webhooks(kind: str, outcome: str) -> Counter:
    """Counts webhooks; `outcome` is kept, duplicate or forged."""
    return _WEBHOOKS.labels(kind, outcome)
