"""Whose account a command is for, and what opens it: the settings, a file, or the person at the keyboard."""

import contextlib
import getpass
import sys
from pathlib import Path
from typing import Final, TextIO

from overture.cli import telling
from overture.domain import account
from overture.domain.account import Credentials, urls_of
from overture.settings import AccountSettings, Settings

_LARGEST: Final = 4096  # bytes; a token has 32 characters


def read(
    settings: Settings,
    *,
    account_sid: str | None,
    token_file: Path | None,
    api_url: str | None,
    typed: TextIO | None = None,
) -> Credentials:
    """The account and its credentials; `typed` is what is asked instead of standard input. Raises Stop."""
    known = _of_settings(settings, account_sid)
    if known is not None and token_file is None and (known.auth_tokens or known.api_key_sid):
        return Credentials(
            sid=known.sid,
            auth_tokens=known.auth_tokens,
            api_key_sid=known.api_key_sid,
            api_key_secret=known.api_key_secret,
            urls=urls_of(known.base_url),
        )
    base = (
        known.base_url
        if known is not None and api_url is None
        else account.read_url(api_url or "https://api.twilio.com")
    )
    if base is None:
        telling.stop(f"--api-url: {api_url!r} is no http or https address.", status=telling.MISUSED)
    sid = known.sid if known is not None else account_sid or ask("Account SID (AC...): ", typed=typed)
    if not account.is_account_sid(sid):
        hint = "It is AC and 32 digits or letters a to f, on the first page of Twilio's console."
        telling.stop(f"{sid[:40]!r} is no account SID.", hint=hint, status=telling.MISUSED)
    token = (
        _from_file(token_file) if token_file is not None else ask("Auth token (not shown): ", hidden=True, typed=typed)
    )
    if not account.is_secret(token):
        telling.stop("That is no auth token: 32 letters and digits, without spaces.", status=telling.MISUSED)
    return Credentials(sid=sid, auth_tokens=(token,), urls=urls_of(base))


def ask(question: str, *, hidden: bool = False, typed: TextIO | None = None) -> str:
    """What the person at the keyboard answers, or the next line of what is piped in. Raises Stop at its end."""
    source = typed or sys.stdin
    if hidden and source.isatty():
        with contextlib.suppress(EOFError):
            return getpass.getpass(question).strip()
    print(question, end="", file=sys.stderr, flush=True)
    line = source.readline()
    if not line:
        hint = "Give --account-sid and --token-file, and --yes to agree, where nobody is there to be asked."
        telling.stop("Nobody answered.", hint=hint, status=telling.MISUSED)
    return line.strip()


def _of_settings(settings: Settings, account_sid: str | None) -> AccountSettings | None:
    if account_sid is not None:
        return next((one for one in settings.accounts if one.sid == account_sid), None)
    if len(settings.accounts) > 1:
        named = ", ".join(one.sid for one in settings.accounts)
        telling.stop(
            f"The settings name {len(settings.accounts)} accounts: {named}.", hint="Say which by --account-sid."
        )
    return settings.accounts[0] if settings.accounts else None


def _from_file(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(_LARGEST + 1)
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        text = ""
    if len(raw) > _LARGEST or not text:
        telling.stop(f"{path} holds no auth token.", hint="It should hold the token and nothing else.")
    return text
