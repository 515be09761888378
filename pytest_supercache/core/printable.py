"""Escapes characters that are not printable, which could move the cursor or hide text."""

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, but: str = "") -> str:
    """Return a text whose only unprintable characters are those in ``but``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in but else escaped(char) for char in text)


def escaped(char: str) -> str:
    """Return the escape that Python reads as this character."""
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
