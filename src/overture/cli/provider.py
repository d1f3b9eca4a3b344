"""The commands for what is at the provider: accounts, senders and templates."""

from typing import Annotated, Any

import typer

from overture.cli import telling
from overture.cli.options import AsJson, Config, Data, Limit

accounts = typer.Typer(no_args_is_help=True, help="Provider accounts: set one up, rotate its token, take it away.")
senders = typer.Typer(no_args_is_help=True, help="Senders, your numbers at an account: add, change and remove them.")
secrets = typer.Typer(no_args_is_help=True, help="How stored secrets are sealed.")
templates = typer.Typer(no_args_is_help=True, help="WhatsApp templates: list them, show, fetch, preview one.")

ContentSid = Annotated[str, typer.Argument(metavar="SID", help="The template's Content SID: HX and 32 digits.")]
Sid = Annotated[str, typer.Argument(metavar="SID", help="The account's SID, AC and 32 digits.")]
Sender = Annotated[str, typer.Argument(metavar="SENDER", help="sms:+15551234567, whatsapp:+15551234567, or its id.")]
Name = Annotated[str | None, typer.Option(metavar="TEXT", help="What to call it; '' for nothing.")]
Parent = Annotated[str | None, typer.Option("--parent", metavar="SID", help="Of a sub-account: the account above it.")]
Region = Annotated[str | None, typer.Option(metavar="REGION", help="us1, ie1 or au1; '' for Twilio's usual one.")]
Edge = Annotated[str | None, typer.Option(metavar="EDGE", help="The way to the region, like dublin.")]
Url = Annotated[str | None, typer.Option(metavar="URL", help="Where this API is, instead of Twilio's address.")]
TokenFile = Annotated[
    str | None,
    typer.Option("--auth-token-file", metavar="FILE", help="Where the auth token stands; - for standard input."),
]
Key = Annotated[str | None, typer.Option("--api-key", metavar="SID", help="The SID of an API key to send with.")]
KeyFile = Annotated[
    str | None,
    typer.Option("--api-key-secret-file", metavar="FILE", help="Where the key's secret stands; else it is asked for."),
]
Account = Annotated[str | None, typer.Option("--account", metavar="SID", help="Which account, of several.")]
Agent = Annotated[
    str | None, typer.Option("--agent", metavar="ID", help="Which agent answers who writes first; '' for none.")
]
Service = Annotated[
    str | None, typer.Option("--service", metavar="SID", help="The Messaging Service to send by; '' for none.")
]
Keywords = Annotated[
    str | None,
    typer.Option("--keywords", metavar="WHO", help="Who answers STOP: twilio, advanced, network, ours; '' the usual."),
]
Inbound = Annotated[
    str | None,
    typer.Option("--inbound", metavar="WAY", help="webhook, or poll where none can reach us; '' the usual."),
]
Foreign = Annotated[
    str | None,
    typer.Option("--foreign-outbound", metavar="WHAT", help="When others send: note, takeover, ignore; '' the usual."),
]
Pace = Annotated[
    str | None,
    typer.Option("--pace", metavar="RATE", help="Segments (SMS) or messages that leave in a second; '' for no limit."),
]


@accounts.command("list")
def list_accounts(data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """List the accounts, without their secrets."""
    from overture.cli import accounts as verbs
    from overture.cli import serving

    verbs.show_all(serving.read(config, data=data), as_json=as_json)


@accounts.command("show")
def show_account(sid: Sid, data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """Tell how an account is set up; of its secrets only which there are."""
    from overture.cli import accounts as verbs
    from overture.cli import serving

    verbs.show(serving.read(config, data=data), sid, as_json=as_json)


@accounts.command("add")
def add_account(
    sid: Sid,
    name: Name = None,
    parent: Parent = None,
    region: Region = None,
    edge: Edge = None,
    api_url: Url = None,
    content_url: Url = None,
    messaging_url: Url = None,
    media_url: Url = None,
    auth_token_file: TokenFile = None,
    api_key: Key = None,
    api_key_secret_file: KeyFile = None,
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Set an account up. Its auth token is read from standard input, a file, or typed without an echo."""
    from overture.cli import accounts as verbs
    from overture.cli import asking, serving

    settings = serving.read(config, data=data)
    fields = _fields(name=name, parent_sid=parent, region=region, edge=edge)
    fields |= _fields(api_url=api_url, content_url=content_url, messaging_url=messaging_url, media_url=media_url)
    fields["auth_token"] = asking.secret(f"Auth token of {sid}", auth_token_file)
    fields |= _key_fields(api_key, api_key_secret_file, auth_token_file or asking.STANDARD_INPUT)
    verbs.add(settings, sid, fields, as_json=as_json)


@accounts.command("update")
def update_account(
    sid: Sid,
    name: Name = None,
    parent: Parent = None,
    region: Region = None,
    edge: Edge = None,
    api_url: Url = None,
    content_url: Url = None,
    messaging_url: Url = None,
    media_url: Url = None,
    auth_token_file: TokenFile = None,
    api_key: Key = None,
    api_key_secret_file: KeyFile = None,
    data: Data = None,
    config: Config = None,
    *,
    keep_old_token: Annotated[
        bool, typer.Option("--keep-old-token", help="Take webhooks signed with the token it had, too: to rotate.")
    ] = False,
    drop_old_token: Annotated[
        bool, typer.Option("--drop-old-token", help="End a rotation: only the first token counts.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Change an account; what is not named stays. The running server uses it at once."""
    from overture.cli import accounts as verbs
    from overture.cli import asking, serving

    settings = serving.read(config, data=data)
    fields = _fields(name=name, parent_sid=parent, region=region, edge=edge)
    fields |= _fields(api_url=api_url, content_url=content_url, messaging_url=messaging_url, media_url=media_url)
    if auth_token_file is not None:
        fields |= {"auth_token": asking.secret(f"New auth token of {sid}", auth_token_file)}
        fields |= {"keep_auth_token": True} if keep_old_token else {}
    elif keep_old_token:
        hint = "Give the new token: --auth-token-file FILE (- for standard input)."
        telling.stop("--keep-old-token goes with a new token.", hint=hint, status=telling.MISUSED)
    if drop_old_token:
        fields["second_auth_token"] = None
    fields |= _key_fields(api_key, api_key_secret_file, auth_token_file)
    verbs.update(settings, sid, fields, as_json=as_json)


@accounts.command("remove")
def remove_account(sid: Sid, data: Data = None, config: Config = None) -> None:
    """Take an account away, once its senders are removed."""
    from overture.cli import accounts as verbs
    from overture.cli import serving

    verbs.remove(serving.read(config, data=data), sid)


@senders.command("list")
def list_senders(data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """List the senders in use."""
    from overture.cli import senders as verbs
    from overture.cli import serving

    verbs.show_all(serving.read(config, data=data), as_json=as_json)


@senders.command("add")
def add_sender(
    sender: Sender,
    account: Account = None,
    agent: Agent = None,
    service: Service = None,
    keywords: Keywords = None,
    inbound: Inbound = None,
    foreign: Foreign = None,
    pace: Pace = None,
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Activate a sender: a number, a short code or a WhatsApp sender."""
    from overture.cli import senders as verbs
    from overture.cli import serving

    ways = {"inbound": inbound, "foreign_outbound": foreign}
    fields = _fields(agent=agent, messaging_service_sid=service, keyword_handling=keywords, **ways)
    fields |= _pace_field(pace)
    verbs.add(serving.read(config, data=data), sender, account, fields, as_json=as_json)


@senders.command("update")
def update_sender(
    sender: Sender,
    agent: Agent = None,
    service: Service = None,
    keywords: Keywords = None,
    inbound: Inbound = None,
    foreign: Foreign = None,
    pace: Pace = None,
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Change a sender; what is not named stays."""
    from overture.cli import senders as verbs
    from overture.cli import serving

    ways = {"inbound": inbound, "foreign_outbound": foreign}
    fields = _fields(agent=agent, messaging_service_sid=service, keyword_handling=keywords, **ways)
    fields |= _pace_field(pace)
    verbs.update(serving.read(config, data=data), sender, fields, as_json=as_json)


@senders.command("remove")
def remove_sender(sender: Sender, data: Data = None, config: Config = None) -> None:
    """Retire a sender; what was said stays on record."""
    from overture.cli import senders as verbs
    from overture.cli import serving

    verbs.remove(serving.read(config, data=data), sender)


@secrets.command("rotate")
def rotate_secrets(data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """Seal every stored secret anew with the first key, while the server runs."""
    from overture.cli import accounts as verbs
    from overture.cli import serving

    verbs.rotate_secrets(serving.read(config, data=data), as_json=as_json)


def _fields(**given: str | None) -> dict[str, Any]:
    """What was given, by the API's names; an empty text takes away."""
    return {name: value or None for name, value in given.items() if value is not None}


def _pace_field(pace: str | None) -> dict[str, Any]:
    if not pace:
        return {} if pace is None else {"pace_per_second": None}
    from overture.domain.pace import FASTEST, SLOWEST

    return {"pace_per_second": telling.number("--pace", pace, least=SLOWEST, most=FASTEST)}


def _key_fields(sid: str | None, file: str | None, token_file: str | None) -> dict[str, Any]:
    """An API key with its secret; an empty SID takes the key away. Raises Stop."""
    from overture.cli import asking

    if sid == "":
        return {"api_key_sid": None, "api_key_secret": None}
    if sid is None:
        if file is not None:
            hint = "Give both: --api-key SID --api-key-secret-file FILE."
            telling.stop("An API key's secret goes with its SID.", hint=hint, status=telling.MISUSED)
        return {}
    if token_file == asking.STANDARD_INPUT and file in (None, asking.STANDARD_INPUT) and not asking.is_typed():
        hint = "Give one of them in a file: --auth-token-file or --api-key-secret-file."
        telling.stop("Standard input can hold only one secret.", hint=hint, status=telling.MISUSED)
    return {"api_key_sid": sid, "api_key_secret": asking.secret(f"Secret of {sid}", file)}


@templates.command("list")
def list_templates(
    approval: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only those that are approved, pending, rejected, paused …")
    ] = None,
    language: Annotated[str | None, typer.Option(metavar="CODE", help="Only those of a language, as en.")] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Only those whose name holds this.")] = None,
    offset: Annotated[str, typer.Option(metavar="COUNT", help="After how many.")] = "0",
    limit: Limit = "50",
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the templates as they were when last fetched."""
    from overture.cli import serving
    from overture.cli import templates as verbs

    verbs.show_all(
        serving.read(config, data=data),
        approval=approval,
        language=language,
        name=name,
        offset=telling.whole_number("--offset", offset, least=0, most=1_000_000),
        limit=telling.whole_number("--limit", limit, least=1, most=200),
        as_json=as_json,
    )


@templates.command("show")
def show_template(
    content_sid: ContentSid, data: Data = None, config: Config = None, *, as_json: AsJson = False
) -> None:
    """Tell what is known of a template: its text, its values, its approval."""
    from overture.cli import serving
    from overture.cli import templates as verbs

    verbs.show(serving.read(config, data=data), content_sid, as_json=as_json)


@templates.command("refresh")
def refresh_templates(data: Data = None, config: Config = None) -> None:
    """Fetch all templates from Twilio now."""
    from overture.cli import serving
    from overture.cli import templates as verbs

    verbs.refresh(serving.read(config, data=data))


@templates.command("preview")
def preview_template(
    content_sid: ContentSid,
    values: Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Values, as 1=Ada.")] = None,
    to: Annotated[str | None, typer.Option(metavar="NUMBER", help="The recipient; it matters for marketing.")] = None,
    purpose: Annotated[str, typer.Option(metavar="PURPOSE", help="opening, in_window or sms.")] = "opening",
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show a template with its values; exit status 1 where it could not be sent so. Nothing is sent."""
    from overture.cli import serving
    from overture.cli import templates as verbs

    verbs.preview(serving.read(config, data=data), content_sid, values or [], to=to, purpose=purpose, as_json=as_json)
