"""X-Twilio-Signature: how Twilio proves that a webhook is its own.

base64(HMAC-SHA1(auth token, URL + sorted names and values)), as Twilio's "Webhooks Security" page says. The URL is
the one Twilio was configured with, verbatim, less its fragment and its `user:password@`. API keys never sign.
"""

import base64
import hmac
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit, urlunsplit


def signed_url(url: str) -> str:
    """The part of a configured URL that enters the signature, and that is requested."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    plain = SplitResult(parts.scheme, host, parts.path, parts.query, "")
    stripped = urlunsplit(plain)
    # urlunsplit drops an empty query; a bare "?" at the end is part of what was configured
    before_fragment = url.partition("#")[0]
    return stripped + "?" if before_fragment.endswith("?") and not parts.query else stripped


def signature(*, auth_token: str, url: str, params: Iterable[tuple[str, str]]) -> str:
    """The header's value for a form POST (`params` as decoded pairs) or a GET (no params)."""
    text = signed_url(url) + "".join(name + value for name, value in sorted(set(params)))
    # a lone surrogate cannot stand in a form; replaced as the form's encoder does
    digest = hmac.digest(auth_token.encode(), text.encode("utf-8", "replace"), "sha1")
    return base64.b64encode(digest).decode()
