"""Escapes text for Markdown."""

import re

from pytest_supercache.report.values import short

TEXT_MAX = 400

_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#!~&@$])")


def escaped(text: object, limit: int = TEXT_MAX) -> str:
    """Return text that Markdown shows unchanged, on one line."""
    return _MARKUP.sub(r"\\\1", short(text, limit)).replace("://", ":\u200b//")
