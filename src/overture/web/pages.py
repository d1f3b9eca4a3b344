"""What the server says about itself: the OpenAPI document, the documentation page, and that page's files."""

import re
from collections.abc import Sequence
from hashlib import sha256
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from overture import __version__
from overture.domain.errors import Unknown
from overture.web import answers, documentation, openapi
from overture.web.routes import Answer, Call, Door, Route, get

_TYPES: Final = {"css": b"text/css; charset=utf-8", "svg": b"image/svg+xml", "js": b"text/javascript; charset=utf-8"}
_CODE: Final = re.compile(r"`([^`]+)`")
_TOKEN: Final = re.compile(
    r"(?P<key>&#34;(?:(?!&#34;).)*&#34;)(?=:)|(?P<text>&#34;(?:(?!&#34;).)*&#34;)|(?P<word>(?<![#\w-])(?:true|false|null|\d+)\b)"
)


class Files:
    """The page's files, named by their content: a browser keeps one for ever and never a stale one."""

    def __init__(self) -> None:
        self.by_name: Final[dict[str, tuple[bytes, bytes]]] = {}
        self._urls: Final[dict[str, str]] = {}
        for file in (resources.files("overture.web") / "static").iterdir():
            stem, _, suffix = file.name.rpartition(".")
            if suffix in _TYPES:
                body = file.read_bytes()
                name = f"{stem}.{sha256(body).hexdigest()[:12]}.{suffix}"
                self.by_name[name] = (body, _TYPES[suffix])
                self._urls[file.name] = f"/static/{name}"

    def url(self, name: str) -> str:
        """Where a page finds a file."""
        return self._urls[name]


def make_pages(routes: Sequence[Route]) -> tuple[Route, ...]:
    """The routes of the documents about these routes; the documents describe themselves as well."""
    files = Files()

    @get("/", may=Door.ANYONE, status=307, tag="Operations")
    async def find_documentation(_call: Call[None, None]) -> Answer:
        """Go to the documentation page."""
        return Answer(status=307, content_type=None, headers=((b"location", b"/docs"),))

    @get("/openapi.json", may=Door.ANYONE, gives=dict, tag="Operations")
    async def get_openapi(_call: Call[None, None]) -> Answer:
        """Get the OpenAPI document."""
        return Answer(body=document)

    @get("/docs", may=Door.ANYONE, gives=str, media="text/html", tag="Operations")
    async def show_documentation(_call: Call[None, None]) -> Answer:
        """Show the documentation page."""
        return Answer(body=page, content_type=b"text/html; charset=utf-8", policy=answers.PAGE)

    @get("/static/{name}", may=Door.ANYONE, gives=str, media="text/css", tag="Operations", refusals=(404,))
    async def get_static_file(call: Call[None, None]) -> Answer:
        """Get a file of the pages.

        Its name carries its hash, so it is kept for ever.
        """
        found = files.by_name.get(call.path["name"])
        if found is None:
            raise Unknown("file_unknown", "There is no such file.", field="name")
        return Answer(body=found[0], content_type=found[1], policy=answers.FOR_EVER)

    own = (find_documentation, get_openapi, show_documentation, get_static_file)
    described = openapi.document((*routes, *own))
    document = answers.encode(described)
    page = (
        _environment(files)
        .get_template("docs.html")
        .render(groups=documentation.groups(described), info=described["info"], version=__version__)
        .encode()
    )
    return own


def _environment(files: Files) -> Environment:
    made = Environment(loader=PackageLoader("overture.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.globals["static"] = files.url
    made.filters["prose"] = _prose
    made.filters["coloured"] = _coloured
    return made


def _prose(text: str) -> Markup:
    """A sentence with `code` in it."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just before


def _coloured(text: str) -> Markup:
    """JSON or a shell line, its words marked for the style sheet."""
    escaped = str(escape(text))
    return Markup(_TOKEN.sub(lambda found: f'<span class="{found.lastgroup}">{found[0]}</span>', escaped))  # noqa: S704 - escaped just before
