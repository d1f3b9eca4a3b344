"""`overture doctor`: every setting with its origin, then what is well and what is wrong, in sentences."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from overture import log
from overture.cli import check_house, check_models, check_provider, check_public, check_webhook, telling
from overture.cli.finding import Finding, Verdict
from overture.settings import Settings

_SECRETS: Final = frozenset(
    {
        "twilio_auth_token",
        "twilio_api_key_secret",
        "model_api_key",
        "transcription_api_key",
        "embedding_api_key",
        "secrets_key",
        "secrets",
    }
)
_STYLES: Final = {Verdict.GOOD: "green", Verdict.NOTE: "yellow", Verdict.WRONG: "bold red"}


def run(settings: Settings, *, probe: bool) -> None:
    """Print the report. Raises Stop where anything is wrong."""
    log.configure("error", "text")
    screen = Console(highlight=False, soft_wrap=True)
    _show_settings(screen, settings)
    wrong = telling.run(_examine(screen, settings, probe=probe))
    if wrong:
        telling.stop(f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong.")
    screen.print("\nEverything is well.")


async def _examine(screen: Console, settings: Settings, *, probe: bool) -> int:
    """Print every finding; how many are wrong."""
    wrong = 0
    sections: list[tuple[str, Callable[[], AsyncIterator[Finding]]]] = [
        ("Data and agents", lambda: check_house.examine(settings)),
        ("Accounts and senders", lambda: check_provider.examine(settings)),
        ("Public address", lambda: check_public.examine(settings)),
        ("Webhook", lambda: check_webhook.examine(settings)),
        ("Models", lambda: check_models.examine(settings, probe=probe)),
    ]
    for title, examine in sections:
        screen.print(f"\n[bold]{title}[/]")
        async for finding in examine():
            _show(screen, finding)
            wrong += finding.verdict is Verdict.WRONG
    return wrong


def _show(screen: Console, finding: Finding) -> None:
    line = Text("  ").append(f"{finding.verdict.value:<7}", style=_STYLES[finding.verdict]).append(finding.sentence)
    screen.print(line)
    if finding.hint is not None:
        screen.print(Text(f"         {finding.hint}", style="dim"))


def _show_settings(screen: Console, settings: Settings) -> None:
    screen.print("[bold]Settings[/]")
    table = Table("setting", "value", "from", box=None, pad_edge=False, padding=(0, 2, 0, 2), show_header=False)
    for name, value in _values(settings):
        table.add_row(name, Text(value, overflow="fold"), settings.origins.get(name, ""))
    screen.print(table)


def _values(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every setting as it may be shown: of a secret only whether it is set."""
    for name in settings.origins:
        if name in _SECRETS:
            yield name, "not set" if settings.origins[name] == "default" else "set, and not shown"
        elif name == "secrets_key_file":
            yield name, str(settings.secrets_key_file or "not set")
        elif name == "public_url":
            yield name, ", ".join(settings.public_urls) or "not set"
        elif name in ("also_stop", "tools_may_reach"):
            yield name, ", ".join(getattr(settings, name)) or "none"
        elif name == "typing":
            yield name, "on" if settings.typing else "off"
        elif name == "senders":
            yield name, ", ".join(f"{sender.channel}:{sender.address}" for sender in settings.senders) or "none"
        elif name == "database_url":
            yield name, re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:...@", settings.database_url)
        elif name.startswith(("twilio_", "model_")):
            yield name, _of_the_first(settings, name)
        else:
            value = getattr(settings, name)
            yield name, "by the kind of question" if value is None else str(value) or "not set"
    for account in settings.accounts:
        tokens = len(account.auth_tokens)
        told = f"{account.base_url}, {tokens} auth {'token' if tokens == 1 else 'tokens'}"
        yield f"account {account.sid}", told + (f", API key {account.api_key_sid}" if account.api_key_sid else "")
    for model in settings.models:
        yield f"model {model.name}", f"{model.model} at {model.base_url}"


def _of_the_first(settings: Settings, name: str) -> str:
    """A setting of the account or model that stands in variables rather than in tables."""
    if settings.origins[name] == "default" and name != "twilio_base_url":
        return "not set"
    account = settings.accounts[-1] if settings.accounts else None
    model = settings.models[0] if settings.models else None
    shown = {
        "twilio_account_sid": account and account.sid,
        "twilio_api_key_sid": account and account.api_key_sid,
        "twilio_base_url": account.base_url if account else "https://api.twilio.com",
        "model_base_url": model and model.base_url,
        "model_name": model and model.model,
    }
    return shown.get(name) or "not set"
