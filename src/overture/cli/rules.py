"""The verbs of `overture rules`."""

import json
from pathlib import Path
from typing import Any

import yaml
from msgspec import to_builtins
from rich.table import Table

from overture.agents.reading import read_fields
from overture.cli import serving, telling
from overture.cli.screen import fit, on_screen
from overture.client import Client
from overture.domain.channel import Channel
from overture.domain.rules import NONE, Days, Rules
from overture.settings import Settings
from overture.web.api.rules import ExplainedView

_MAKES = "`overture serve` makes it."


def show(settings: Settings, *, sender: str | None, as_json: bool) -> None:
    """Print the rules that are set, as a file for `set` has them."""
    serving.require_data(settings, _MAKES)

    async def look() -> Rules:
        async with serving.operator(settings) as client:
            return await client.get_rules(await _sender_id(client, sender))

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
            return await client.set_rules(given, await _sender_id(client, sender))

    rules = telling.run(save())
    whose = "the workspace" if sender is None else f"sender {sender}"
    if rules == NONE:
        print(f"The rules of {whose} are taken away: everything is allowed that the channel allows.")
    else:
        print(f"The rules of {whose} are set: {'; '.join(_in_words(rules))}.")


def _in_words(rules: Rules) -> list[str]:
    count = len(rules.caps)
    countries = "all" if rules.countries is None else ", ".join(rules.countries) or "none"
    told = [f"countries {countries}", f"{count} {'cap' if count == 1 else 'caps'}"]
    if rules.quiet_hours is not None:
        told.append(f"quiet hours {rules.quiet_hours.start} to {rules.quiet_hours.end}")
    if rules.quiet_hours is not None and rules.quiet_hours.days != Days():
        told[-1] += ", and days of their own"
    if rules.require_consent is not None:
        told.append(f"consent {rules.require_consent.value}")
    if rules.opt_out_scope is not None:
        told.append(f"an opt-out reaches the {rules.opt_out_scope.value}")
    return told


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


async def _sender_id(client: Client, sender: str | None) -> str | None:
    """The id of a sender that is named by it or by its address. Raises Stop."""
    if sender is None:
        return None
    known = {f"{one.channel}:{one.address}": one.id for one in await client.list_senders()}
    if sender in known.values():
        return sender
    if sender not in known:
        telling.stop(
            f"There is no sender {fit(sender, 64)}.", hint="`overture senders list` shows the senders there are."
        )
    return known[sender]


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.expanduser().read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        telling.stop(f"{file} is not UTF-8 text.", hint="Save it as UTF-8.", status=telling.MISUSED)
    except OSError as wrong:
        telling.stop(f"{file} cannot be read: {wrong.strerror}.", status=telling.MISUSED)
    given = read_fields(text, file=str(file))
    if isinstance(given, dict) and given.keys() == {"rules"}:
        hint = "Only an agent's file has them under `rules:`; take the line away, and indent the others less."
        telling.stop(f"{file} holds its rules under `rules:`.", hint=hint, status=telling.MISUSED)
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        hint = "countries: [US, DE] is one; docs/rules.md has them all."
        telling.stop(f"{file} holds no rules.", hint=hint, status=telling.MISUSED)
    return given
