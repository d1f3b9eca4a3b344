"""What a bubble shows beside its text: files, a place, what it quotes, what can be tapped. Pure, as the view is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from handset.api.media import STORE
from handset.state.nouns import Choice, Medium, Message

QUOTED: Final = 80  # characters of the message that is replied to
REACHED: Final = frozenset({"sent", "delivered", "read"})
PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})  # what every browser shows


@dataclass(frozen=True, kw_only=True)
class File:
    """A file: shown where a browser can, else named. One without an address here is elsewhere, at `name`."""

    kind: Literal["picture", "sound", "film", "other", "elsewhere"]
    name: str
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """All of it. Choices can be tapped once the message has reached the phone."""

    files: tuple[File, ...] = ()
    lines: tuple[str, ...] = ()
    quote: str = ""
    choices: tuple[Choice, ...] = ()
    menu: str = ""
    tappable: bool = False
    reaction: str = ""


def of(message: Message, media: Sequence[Medium], quoted: Message | None) -> Beside:
    """What stands beside a message's text."""
    files = [_file(medium) for medium in media]
    known = {medium.source for medium in media} | ({*message.media_urls} if media and not media[0].source else set())
    files += [File(kind="elsewhere", name=url) for url in message.media_urls if url not in known]
    told = message.fields
    lines = []
    if "Latitude" in told:
        place = ", ".join(filter(None, (told.get("Label"), told.get("Address"))))
        lines.append(f"Location {told['Latitude']}, {told.get('Longitude', '')} {place}".strip())
    if "ReferralSourceId" in told:
        lines.append(f"Came from an advertisement: {told.get('ReferralHeadline') or told['ReferralSourceId']}")
    if told.get("Forwarded") == "true":
        lines.append("Forwarded")
    text = quoted.body if quoted else ""
    return Beside(
        files=tuple(files),
        lines=tuple(lines),
        quote=text if len(text) <= QUOTED else f"{text[:QUOTED]}\N{HORIZONTAL ELLIPSIS}",
        choices=message.rich.choices if message.rich else (),
        menu=message.rich.menu if message.rich else "",
        tappable=message.status in REACHED,
        reaction=message.reaction,
    )


def _file(medium: Medium) -> File:
    if medium.content is None:
        return File(kind="elsewhere", name=medium.source or medium.content_type)
    general = medium.content_type.partition("/")[0]
    kind: Literal["picture", "sound", "film", "other"] = "other"
    if medium.content_type in PICTURES:
        kind = "picture"
    elif general == "audio":
        kind = "sound"
    elif general == "video":
        kind = "film"
    return File(kind=kind, name=medium.content_type, url=f"{STORE}/{medium.key}")
