"""The files of a page, read once and served from memory."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Assets"]

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Assets:
    """All files of the folder ``page``; only these names can be asked for, so no path leads elsewhere."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        for file in files("voiceloop.server").joinpath("page").iterdir():
            if file.name.rpartition(".")[2] in TYPES:
                self.files[file.name] = file.read_bytes()

    def serve(self, request: web.Request, name: str) -> web.Response:
        """The answer to a request for a file; 404 for any other name, 304 when the browser has it already."""
        from aiohttp import web

        data = self.files.get(name)
        if data is None:
            raise web.HTTPNotFound(text=f"there is no {name[:80]!r} here\n")
        tag = hashlib.sha256(data).hexdigest()[:32]
        headers = {"Cache-Control": "no-cache", "ETag": f'"{tag}"'}  # no-cache: keep it, and ask whether it changed
        if any(known.value == tag for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=data, content_type=TYPES[name.rpartition(".")[2]], charset="utf-8", headers=headers)
