"""Makes any text, bytes and number printable: nothing moves the cursor, hides text or raises."""

import unicodedata

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INT_BITS_MAX = 10_000  # Python refuses to print integers of more than 4,300 digits


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


def columns_of(char: str) -> int:
    """Count the terminal columns of a character: combining marks take none, wide ones take two."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def encodable(text: str) -> str:
    """Escape lone surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "backslashreplace").decode()


def bytes_text(value: bytes) -> str:
    """Return bytes as text: decoded if they are UTF-8, else as Python writes them."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return repr(value)


def printable_int(value: int) -> int | str:
    """Return an integer; one that is too long to be printed, as hexadecimal text."""
    return value if value.bit_length() <= _INT_BITS_MAX else hex(value)
