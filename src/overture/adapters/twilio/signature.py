"""X-Twilio-Signature: whether a webhook is Twilio's own.

The signature is base64(HMAC-SHA1(auth token, URL + every name and value of the form, sorted, without separators)).
The URL is the one that Twilio was configured with, word for word, less user information and fragment; some of its
edges add the scheme's default port and some take a port away, so each URL is tried with and without. A JSON body is
not part of it: its SHA-256 stands in the URL as `bodySHA256`. Nothing here raises, whatever it is given.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs

_DEFAULT_PORTS: Final = {"https": "443", "http": "80"}


def expected(token: str, url: str, pairs: Iterable[tuple[str, str]] = ()) -> bytes:
    """The signature of a request to exactly this URL. A pair that stands twice counts once, as in Twilio's SDK."""
    return _sign(token.encode("utf-8", "replace"), url + tail(pairs))


def tail(pairs: Iterable[tuple[str, str]]) -> str:
    """What a form adds to the signed text."""
    return "".join([name + value for name, value in sorted(set(pairs))])


def _sign(token: bytes, text: str) -> bytes:
    return b64encode(hmac.digest(token, text.encode("utf-8", "replace"), "sha1"))


def variants(url: str) -> tuple[str, ...]:
    """The forms of a URL that Twilio may have signed: as it is, without its port, with the scheme's default port."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return (url,)
    end = min((at for mark in "/?#" if (at := rest.find(mark)) >= 0), default=len(rest))
    authority, path = rest[:end].rpartition("@")[2], rest[end:].partition("#")[0]
    host, port = _host_and_port(authority)
    bare = f"{scheme}://{host}{path}"
    if port:
        return f"{scheme}://{host}:{port}{path}", bare
    default = _DEFAULT_PORTS.get(scheme.lower())
    return (bare, f"{scheme}://{host}:{default}{path}") if default else (bare,)


def _host_and_port(authority: str) -> tuple[str, str]:
    host, separator, port = authority.rpartition(":")
    if separator and port.isascii() and port.isdigit() and (":" not in host or host.endswith("]")):
        return host, port
    return authority, ""


def valid(tokens: str | Sequence[str], url: str, pairs: Iterable[tuple[str, str]], signature: str | None) -> bool:
    """Whether a form's signature was made with one of the tokens over one of the URL's variants."""
    return valid_over([tokens] if isinstance(tokens, str) else tokens, variants(url), tail(pairs), signature)


def valid_over(tokens: Iterable[str], urls: Sequence[str], form_tail: str, signature: str | None) -> bool:
    """Whether a signature was made with one of the tokens over exactly one of the URLs and a form's tail."""
    if not signature:
        return False
    given = signature.encode("utf-8", "replace")
    for token in tokens:
        key = token.encode("utf-8", "replace")
        for url in urls:
            if token and hmac.compare_digest(_sign(key, url + form_tail), given):
                return True
    return False


def valid_json(tokens: str | Sequence[str], url: str, body: bytes, signature: str | None) -> bool:
    """Whether a JSON webhook is signed: its body has the hash that its URL names, and the URL is signed."""
    named = parse_qs(url.partition("#")[0].partition("?")[2], max_num_fields=None).get("bodySHA256", [""])[0]
    same_body = hmac.compare_digest(sha256(body).hexdigest().encode(), named.encode("utf-8", "replace"))
    return same_body and valid(tokens, url, (), signature)
