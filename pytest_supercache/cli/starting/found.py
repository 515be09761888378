"""Data about a project: two requests that may race, and what the conftest needs for them."""

from dataclasses import asdict, dataclass, field
from typing import Any

NUMBERS = ("101", "202")
TEXTS = ('"first"', '"second"')
"""The old and the new value, as Python and YAML have them; pages seldom contain them otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFlow:
    """A page and a change of what it shows; texts are parts of the conftest."""

    style: str  # "django", "fastapi" or "flask"
    system: str
    page: str  # its path, with {key}
    field: str  # what is changed
    is_async: bool = False  # requests are awaited
    values: tuple[str, str]
    key: str = "1"
    change: str  # the statements of `set`
    application: str = ""  # the expression for it
    imports: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()  # constants and functions
    contexts: tuple[str, ...] = ()  # in which the factory opens the site
    rows: str = ""  # the statements of the factory that make what the page shows


@dataclass(slots=True, kw_only=True)
class Look:
    """The result of a look at a project, for people and for the conftest."""

    found: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    import_root: str | None = None  # the folder that the application is imported from
    flow: FirstFlow | None = None

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)


def look_from(data: dict[str, Any]) -> Look:
    """Read back what `as_data` returned."""
    flow = data["flow"]
    lists = ("values", "imports", "blocks", "contexts")
    made = flow and FirstFlow(**flow | {name: tuple(flow[name]) for name in lists})
    return Look(**data | {"flow": made})
