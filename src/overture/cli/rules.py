"""The verbs of `overture rules`."""

import json
from pathlib import Path
from typing import Any

import yaml
from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import fit, on_screen
from overture.domain.channel import Channel
from overture.domain.rules import Rules
from overture.settings import Settings
from overture.web.api.rules import ExplainedView

_MAKES = "`overture serve` makes it."
_LONGEST = 256 * 1024  # bytes; the longest list of countries and caps is a hundredth of it


def show(settings: Settings, *, sender: str | None, as_json: bool) -> None:
    """Print the rules that are set, as a file for `set` has them."""
    serving.require_data(settings, _MAKES)

    async def look() -> Rules:
        async with serving.operator(settings) as client:
            return await client.get_rules(sender)

    found = to_builtins(telling.run(look()))
    if as_json:
        print(json.dumps(found, indent=2))
    elif found:
        print(yaml.safe_dump(found, sort_keys=False).rstrip())
    else:
        print("No rules are set: everything is allowed that the channel allows.")


def replace(settings: Settings, file: Path, *, sender: str | None) -> None:
    """Let a file's rules be those there are. Raises Stop for a file that holds none."""
    given = _read(file)
    serving.require_data(settings, _MAKES)

    async def save() -> Rules:
        async with serving.operator(settings) as client:
            return await client.set_rules(given, sender)

    rules = telling.run(save())
    whose = "the workspace" if sender is None else f"sender {sender}"
    count = len(rules.caps)
    countries = "all" if rules.countries is None else ", ".join(rules.countries) or "none"
    print(f"The rules of {whose} are set: countries {countries}; {count} {'cap' if count == 1 else 'caps'}.")


def explain(
    settings: Settings, to_number: str, *, agent: str | None, sender: str | None, channel: str, as_json: bool
) -> None:
    """Print what every rule says."""
    known = [one.value for one in Channel if one is not Channel.API]
    if channel not in known:
        hint = f"Channels are {' and '.join(known)}."
        telling.stop(f"--channel: {channel!r} is none.", hint=hint, status=telling.MISUSED)
    serving.require_data(settings, _MAKES)
    asked = {"channel": channel, "agent_id": agent, "from_number": sender}

    async def look() -> ExplainedView:
        async with serving.operator(settings) as client:
            return await client.explain_rules(
                to_number, **{name: value for name, value in asked.items() if value is not None}
            )

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    table = Table("rule", "whose", "says", "", box=None, pad_edge=False)
    for one in found.said:
        until = "" if one.until is None else f" Until {one.until.astimezone():%Y-%m-%d %H:%M:%S}."
        whose = "" if one.scope is None else one.scope.value
        table.add_row(one.rule, whose, one.ruling.value, fit(one.sentence, 400) + until)
    on_screen().print(table)
    print(f"An opening to {found.to_number} over {found.channel.value} is {found.ruling.value} now.")


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.expanduser().read_bytes()[:_LONGEST].decode()
        given = yaml.safe_load(text)
    except (UnicodeDecodeError, yaml.YAMLError) as wrong:
        telling.stop(f"{file} is neither YAML nor JSON: {fit(str(wrong), 200)}", status=telling.MISUSED)
    except OSError as wrong:
        telling.stop(f"{file} cannot be read: {wrong.strerror}.", status=telling.MISUSED)
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        hint = "countries: [US, DE] is one; docs/rules.md has them all."
        telling.stop(f"{file} holds no rules.", hint=hint, status=telling.MISUSED)
    return given
