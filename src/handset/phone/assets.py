"""The page's own files, named by their content: a browser may keep one for ever, and never keeps a stale one."""

import hashlib
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

FOLDER: Final = Path(__file__).parent / "static"
TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


class Assets:
    """The files of `static/`, read once."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, str]] = {}
        self._names: dict[str, str] = {}
        for path in sorted(FOLDER.iterdir()):
            if path.suffix in TYPES:
                body = path.read_bytes()
                name = f"{path.stem}.{hashlib.sha256(body).hexdigest()[:12]}{path.suffix}"
                self._files[name] = (body, TYPES[path.suffix])
                self._names[path.name] = name

    def url(self, name: str) -> str:
        """Where the page finds a file."""
        return f"/static/{self._names[name]}"

    async def serve(self, request: Request) -> Response:
        """A file, under the name that carries its hash."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            return Response("no such file", status_code=404, media_type="text/plain")
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(found[0], media_type=found[1], headers=headers)
