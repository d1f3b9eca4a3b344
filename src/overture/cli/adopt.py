"""`overture adopt`: make a copied or moved database the instance, under the public URLs of the settings."""

import json

from msgspec import to_builtins

from overture.cli import serving, telling
from overture.settings import Settings
from overture.web.api.instance import InstanceView


def adopt(settings: Settings, *, as_json: bool) -> None:
    """Adopt the data folder's database, through its server where one runs. Raises Stop."""
    serving.require_data(settings, "There is nothing to adopt before the first start.")

    async def make() -> tuple[InstanceView, InstanceView]:
        async with serving.operator(settings) as client:
            before = await client.get_instance()
            return before, await client.adopt_instance()

    before, after = telling.run(make())
    if as_json:
        print(json.dumps(to_builtins(after), indent=2))
        return
    if before.shut_because is None and before.public_urls == after.public_urls:
        print(f"This database is the instance already{_under(after.public_urls)}.")
        return
    if before.shut_because is not None:
        print(before.shut_because)
    print(f"It is the instance now{_under(after.public_urls)}. Messages leave after the next sweep.")


def _under(urls: list[str]) -> str:
    return f", under {' and '.join(urls)}" if urls else ", without a public URL"
