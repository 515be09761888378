"""Writes ``index.html``: one self-contained page that makes no requests, from a file or a server.

The markup, the style and the program are fixed files. The findings of a run are inserted as one
block of JSON that no content can end, and the program shows all of them as text. The page's content
security policy allows this one program and this one style, by their digests, and no connection at
all: even a value that got into the markup could neither run nor load anything.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pytest_supercache.report.page_data import anchor_of, page_data

PAGE = "index.html"
_FILES = Path(__file__).parent / "page_files"
_DANGEROUS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def page(document: Mapping[str, Any]) -> str:
    """Return the page for a document of ``verdict.json``, in pure ASCII."""
    style = (_FILES / "page.css").read_text(encoding="ascii")
    program = (_FILES / "page.js").read_text(encoding="ascii")
    parts = {
        "STYLE_DIGEST": _digest(style),
        "PROGRAM_DIGEST": _digest(program),
        "STYLE": style,
        "PROGRAM": program,
        "DATA": json_block(page_data(document)),
    }
    text = (_FILES / "page.html").read_text(encoding="ascii")
    head, *rest = text.split("{{")
    pieces = [head]
    for piece in rest:
        name, _, after = piece.partition("}}")
        pieces += [parts[name], after]
    return "".join(pieces)


def place_in_page(item: str) -> str:
    """Return the address of an item in the page, from the folder of the page."""
    return f"{PAGE}#{quote(anchor_of(item), safe='/')}"


def json_block(data: object) -> str:
    """Return JSON that is safe inside of ``<script>``: no markup, no line separator, ASCII."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for char, escaped in _DANGEROUS.items():
        text = text.replace(char, escaped)  # they can only stand inside strings
    return text


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
