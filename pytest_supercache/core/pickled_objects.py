"""Writes what a pickle holds as data: objects by the name of their class and their state.

The text of an object is what its ``repr`` would be like: ``Decimal('1.50')``,
``Product(id=42, name='Lamp')``. No class is asked for it, since none is imported.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pytest_supercache.core.pickle_reader import (
    DEPTH_MAX,
    Made,
    Members,
    Name,
    Pairs,
    Unreadable,
)
from pytest_supercache.core.printable import bytes_text, encodable, printable_int

VALUES_MAX = 20_000
CHARACTERS_MAX = 1_000_000


class ObjectText(str):
    """The text of an object; inside of another one it stands without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the text itself."""
        return str.__str__(self)


def as_data(value: Any) -> Any:
    """Return what a reader found as JSON-safe data.

    Raises:
        Unreadable: it is too large. Data in which parts occur again and again has no bound.
    """
    return _Writer().data(value)


class _Writer:
    """Writes one value; counts how much it has written."""

    def __init__(self) -> None:
        self.values = 0
        self.characters = 0
        self.above: list[int] = []

    def data(self, value: Any) -> Any:
        self.values += 1
        if self.values > VALUES_MAX:
            raise Unreadable("too many values")
        if not isinstance(value, list | tuple | Pairs | Members | Made):
            return self._single(value)
        if id(value) in self.above:
            return ObjectText("<cycle>")
        if len(self.above) >= DEPTH_MAX:
            return ObjectText("<deeper>")
        self.above.append(id(value))
        try:
            return self._container(value)
        finally:
            self.above.pop()

    def _single(self, value: Any) -> Any:
        if isinstance(value, Name):
            return self._counted(ObjectText(encodable(f"{value.module}.{value.name}")))
        if isinstance(value, str):
            return self._counted(encodable(value))
        if isinstance(value, bytes):
            return self._counted(bytes_text(value))
        shown = printable_int(value) if isinstance(value, int) else value
        return self._counted(shown) if isinstance(shown, str) else value

    def _counted(self, text: str) -> str:
        self.characters += len(text)
        if self.characters > CHARACTERS_MAX:
            raise Unreadable("too long")
        return text

    def _container(self, value: Any) -> Any:
        if isinstance(value, Pairs):
            return self._mapping(value.pairs)
        if isinstance(value, Members):
            return sorted(map(self.data, value.members), key=repr)
        if isinstance(value, Made):
            return self._object(value)
        return [self.data(member) for member in value]

    def _mapping(self, pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        kinds: dict[str, type] = {}
        for key, member in pairs:
            name = self._key(key)
            while kinds.get(name, type(key)) is not type(key):  # 1 and "1" are two keys
                name += f" ({type(key).__name__})"
            kinds[name] = type(key)
            found[name] = self.data(member)
        return found

    def _key(self, key: Any) -> str:
        written = self.data(key)
        return str(written) if isinstance(written, str) else self._counted(repr(written))

    # -- objects ----------------------------------------------------------------------------------

    def _object(self, made: Made) -> Any:
        of = _named(made.of)
        is_call = isinstance(of, Name) and isinstance(made.arguments, tuple)
        known = _KNOWN.get((of.module, of.name)) if is_call else None
        data = known(self, made) if known else None
        return self._plainly(made) if data is None else data

    def _plainly(self, made: Made) -> ObjectText:
        """Write the class, the arguments, what is in the object, and its state."""
        arguments = made.arguments if isinstance(made.arguments, tuple) else (made.arguments,)
        return self.called(
            self._name(_named(made.of)),
            *arguments,
            *([made.items] if made.items else ()),
            *([Pairs(made.pairs)] if made.pairs else ()),
            named=[*_fields_of(made.named), *(one for s in made.states for one in _fields_of(s))],
        )

    def called(
        self, name: str, *arguments: Any, named: Iterable[tuple[Any, Any]] = ()
    ) -> ObjectText:
        parts = [self._quoted(one) for one in arguments]
        parts += [f"{self._key(key)}={self._quoted(value)}" for key, value in named]
        text = f"{name}({', '.join(parts)})"
        self._counted(text)
        return ObjectText(text)

    def _quoted(self, value: Any) -> str:
        return repr(self.data(value))

    def _name(self, of: Any) -> str:
        return encodable(of.name) if isinstance(of, Name) else str(self.data(of))


def _named(of: Any) -> Any:
    """Return the name of what is called, also of a method or a class inside of a class."""
    match of:
        case Made(of=Name("builtins" | "__builtin__", "getattr"), arguments=(Name(), str(name))):
            inside = of.arguments[0]
            return Name(inside.module, f"{inside.name}.{name}")
        case _:
            return of


def _fields_of(state: Any) -> list[tuple[Any, Any]]:
    """Return the attributes of an object: its own, then those in slots."""
    if isinstance(state, Pairs):
        return state.pairs
    if isinstance(state, tuple) and len(state) == 2 and _are_both_fields(*state):
        return [*_fields_of(state[0]), *_fields_of(state[1])]
    return [] if state is None else [("state", state)]


def _are_both_fields(own: Any, slots: Any) -> bool:
    return isinstance(own, Pairs | None) and isinstance(slots, Pairs)


# -- classes that nearly everybody stores ---------------------------------------------------------


_Known = Callable[[_Writer, Made], Any]
"""Returns the data, or None if the object is not made as the class does it."""


def _date(writer: _Writer, made: Made) -> Any:
    match made.arguments:
        case (bytes(packed),) if len(packed) == 4:
            return writer.called("datetime.date", *_year(packed), packed[3])
        case _:
            return None


def _time(writer: _Writer, made: Made) -> Any:
    match made.arguments:
        case (bytes(packed), *zone) if len(packed) == 6 and len(zone) < 2:
            fold = packed[0] > 127
            clock = [packed[0] & 127, packed[1], *_seconds(packed[2:])]
            return writer.called("datetime.time", *clock, named=_zone(zone, fold=fold))
        case _:
            return None


def _datetime(writer: _Writer, made: Made) -> Any:
    match made.arguments:
        case (bytes(packed), *zone) if len(packed) == 10 and len(zone) < 2:
            fold = packed[2] > 127
            day = [*_year(packed), packed[3], packed[4], packed[5], *_seconds(packed[6:])]
            return writer.called("datetime.datetime", *day, named=_zone(zone, fold=fold))
        case _:
            return None


def _year(packed: bytes) -> tuple[int, int]:
    return packed[0] * 256 + packed[1], packed[2] & 127


def _seconds(packed: bytes) -> list[int]:
    """Return seconds and microseconds, as far as ``repr`` writes them."""
    found = [packed[0], int.from_bytes(packed[1:])]
    while found and not found[-1]:
        found.pop()
    return found


def _zone(zone: list[Any], *, fold: bool) -> list[tuple[Any, Any]]:
    return [*([("fold", 1)] if fold else ()), *(("tzinfo", one) for one in zone)]


def _timedelta(writer: _Writer, made: Made) -> Any:
    match made.arguments:
        case (int(days), int(seconds), int(microseconds)):
            parts = [("days", days), ("seconds", seconds), ("microseconds", microseconds)]
            named = [part for part in parts if part[1]]
            return writer.called("datetime.timedelta", *([] if named else [0]), named=named)
        case _:
            return None


def _timezone(writer: _Writer, made: Made) -> Any:
    match made.arguments:
        case (Made(of=Name("datetime", "timedelta"), arguments=(0, 0, 0)),):
            return ObjectText("datetime.timezone.utc")
        case (*arguments,):
            return writer.called("datetime.timezone", *arguments)
        case _:
            return None


def _named_zone(writer: _Writer, made: Made) -> Any:
    match made.arguments:
        case (str(key), *_):
            return writer.called("zoneinfo.ZoneInfo", named=[("key", key)])
        case _:
            return None


def _uuid(_writer: _Writer, made: Made) -> Any:
    match made.states:
        case [Pairs([("int", int(number))])] if 0 <= number < 1 << 128:
            digits = f"{number:032x}"
            ends = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
            return ObjectText(f"UUID('{'-'.join(digits[start:end] for start, end in ends)}')")
        case _:
            return None


def _text(writer: _Writer, made: Made) -> Any:
    """Write text that is marked as safe, and bytes that may change, like others."""
    match made.arguments:
        case ((str() | bytes()) as text,):
            return writer.data(text)
        case _:
            return None


def _set(writer: _Writer, made: Made) -> Any:
    match made.arguments:
        case (list(members),):
            return writer.data(Members(members))
        case _:
            return None


def _deque(writer: _Writer, made: Made) -> Any:
    match made.arguments:
        case () | ([],):
            return writer.called("deque", made.items)
        case ([] | (), int(length)):
            return writer.called("deque", made.items, named=[("maxlen", length)])
        case _:
            return None


def _ordered(writer: _Writer, made: Made) -> Any:
    """Write a mapping of the standard library like any other."""
    of_argument = [p for one in made.arguments if isinstance(one, Pairs) for p in one.pairs]
    return writer.data(Pairs([*of_argument, *made.pairs])) if not made.states else None


def _encoded(_writer: _Writer, made: Made) -> Any:
    """Write bytes, which older protocols have as text of the same numbers."""
    match made.arguments:
        case (str(text), "latin1") if all(ord(char) < 256 for char in text):
            return bytes_text(text.encode("latin1"))
    return None


_BOOKKEEPING = frozenset({"_state", "_django_version"})


def _model(writer: _Writer, made: Made) -> Any:
    """Write a model of Django by its own name and its fields."""
    match made.arguments:
        case ((str(_), str(name)),) | (Name(_, name),):
            fields = [pair for state in made.states for pair in _fields_of(state)]
            own = [(key, value) for key, value in fields if key not in _BOOKKEEPING]
            return writer.called(encodable(name), named=own)
        case _:
            return None


def _query_set(writer: _Writer, made: Made) -> Any:
    """Write the rows that were found, and not how they were asked for."""
    fields = [pair for state in made.states for pair in _fields_of(state)]
    for key, rows in fields:
        if key == "_result_cache" and isinstance(rows, list):
            return writer.called("QuerySet", rows)
    return None


_KNOWN: dict[tuple[str, str], _Known] = {
    ("datetime", "date"): _date,
    ("datetime", "time"): _time,
    ("datetime", "datetime"): _datetime,
    ("datetime", "timedelta"): _timedelta,
    ("datetime", "timezone"): _timezone,
    ("freezegun.api", "FakeDate"): _date,  # what a clock that is under control says
    ("freezegun.api", "FakeDatetime"): _datetime,
    ("zoneinfo", "ZoneInfo._unpickle"): _named_zone,
    ("uuid", "UUID"): _uuid,
    **{
        (module, name): _set
        for module in ("builtins", "__builtin__")
        for name in ("set", "frozenset")
    },
    ("builtins", "bytearray"): _text,
    ("_codecs", "encode"): _encoded,
    ("collections", "OrderedDict"): _ordered,
    ("collections", "defaultdict"): _ordered,
    ("collections", "Counter"): _ordered,
    ("collections", "deque"): _deque,
    ("django.utils.safestring", "SafeString"): _text,
    ("django.db.models.base", "model_unpickle"): _model,
    ("django.db.models.query", "QuerySet"): _query_set,
}
