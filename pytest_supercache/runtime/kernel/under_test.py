"""Distinguishes code under test from the standard library, this plugin and its tools."""

import sys
import types
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from operator import itemgetter
from os.path import realpath
from traceback import walk_tb
from types import ModuleType
from typing import Any, NamedTuple
from weakref import ref

from pytest_supercache.core.folders import is_installed
from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of, of_kind
from pytest_supercache.runtime.kernel.own_code import LAYERS, RUNTIME

_OF_THE_RUN = frozenset(
    {
        "pytest_supercache", "fakeredis", "lupa", "hiredis", "freezegun", "pytest", "_pytest",
        "pluggy", "iniconfig", "xdist", "execnet", "hypothesis", "allure", "allure_commons",
        "allure_pytest", "coverage", "pip", "setuptools", "pkg_resources", "_distutils_hack",
        "bytecode", "mypy", "ruff", "debugpy", "pydevd", "_pydevd_bundle", "IPython", "py",
        "_hypothesis_globals", "_hypothesis_pytestplugin", "_hypothesis_ftz_detector",
        "pytest_asyncio", "pytest_check", "pytest_cov", "pytest_django", "pytest_html",
        "pytest_metadata", "pytest_mock", "pytest_randomly", "pytest_rerunfailures",
        "pytest_timeout", "random_order", "playwright", "pytest_playwright", "selenium",
    }
)  # fmt: skip

_TOOLS = _OF_THE_RUN | {
    "redis", "valkey", "dateutil", "sortedcontainers", "attr", "attrs", "ruamel", "jinja2",
    "markupsafe", "rich", "markdown_it", "mdurl", "pygments", "click", "packaging",
    "typing_extensions", "sqlglot",
}  # fmt: skip
"""What the run is made with; the code under test may use the latter libraries, too."""

_FRAMEWORKS = frozenset(
    {
        "sqlalchemy", "greenlet", "asyncpg", "psycopg", "psycopg2", "psycopg_binary",
        "psycopg_pool", "aiosqlite", "pymysql", "MySQLdb", "anyio", "sniffio", "fastapi",
        "starlette", "uvicorn", "opentelemetry", "pydantic", "pydantic_core",
        "annotated_types", "typing_inspection", "httpx", "httpcore", "h11", "idna", "certifi",
        "charset_normalizer", "flask", "werkzeug", "numpy", "cffi", "pycparser",
    }
)  # fmt: skip
"""Frameworks that call the code under test, or are called by it, and lock only their own data."""

_BOOKKEEPING = frozenset({"asgiref.local", "django.db.backends.base.base"})
"""Modules of frameworks under test that lock an internal table or counter for a line or two.

These critical sections contain no step, so no actor ever waits for such a lock: it stays real. The
first guards the storage of a `Local`, the other the number of threads sharing a connection.
"""

_BUILD_VARIABLES = "_sysconfigdata_"
"""Prefix of the standard library module whose name contains the platform."""

_SHIPPED_SYSTEMS = "pytest_supercache.reference"


def is_under_test(module: ModuleType | None) -> bool:
    """Say whether a module's locks, sleeps and globals belong to the code under test."""
    kind = type(module)
    if not issubclass(kind, ModuleType):
        return False
    members = vars(module) if kind is ModuleType else members_of(module)
    name = members.get("__name__")
    return type(name) is str and is_under_test_name(name)


def is_under_test_name(name: str) -> bool:
    """Say whether a module of this name is code under test."""
    known = _is_under_test_by_name(name)
    return is_shadowing(name.partition(".")[0]) if known is None else known


@cache
def _is_under_test_by_name(name: str) -> bool | None:
    """Say so by the name alone; None: the project may have a package of that name."""
    if name.startswith(_SHIPPED_SYSTEMS):
        return True
    top = name.partition(".")[0]
    if name in _BOOKKEEPING or top.startswith(_BUILD_VARIABLES):
        return False
    return None if top in sys.stdlib_module_names or _has_tools_name(top) else True


def is_tool_name(top: str) -> bool:
    """Say whether a package belongs to this plugin, its tools, or a framework below the code."""
    return _has_tools_name(top) and not is_shadowing(top)


def is_of_the_run(top: str) -> bool:
    """Say whether a package belongs to this plugin, or to tools that only the run uses."""
    return top in _OF_THE_RUN and not is_shadowing(top)


def is_standard_name(top: str) -> bool:
    """Say whether a package belongs to the standard library."""
    return top in sys.stdlib_module_names and not is_shadowing(top)


def _has_tools_name(top: str) -> bool:
    return top in _TOOLS or top in _FRAMEWORKS


def is_shadowing(top: str) -> bool:
    """Say whether the project has a package with the name of a library, as `profile` or `coverage`.

    What is imported decides: a package that stands where no library is installed, and that no
    installed one is developed in.
    """
    module = sys.modules.get(top)
    known = _shadowing.get(top)
    if known is None or known[0] is not module:
        known = _shadowing[top] = (module, _is_the_project_s(top, module))
    return known[1]


_shadowing: dict[str, tuple[ModuleType | None, bool]] = {}


def _is_the_project_s(top: str, module: ModuleType | None) -> bool:
    if top in _NEVER_SHADOWED or type(module) is not ModuleType:
        return False
    members = vars(module)
    file = members.get("__file__") or next(iter(members.get("__path__") or ()), None)
    if type(file) is not str or is_installed(realpath(file)):
        return False
    return top in sys.stdlib_module_names or not _is_developed(top)


def _is_developed(top: str) -> bool:
    """Say whether the distribution of this name is imported from where it is developed."""
    try:
        found = distribution(top)
    except (PackageNotFoundError, ValueError):
        return False
    is_editable = '"editable": true' in (found.read_text("direct_url.json") or "")
    return is_editable or found.read_text("RECORD") is None


_NEVER_SHADOWED = frozenset({"pytest_supercache", "pytest", "_pytest", "pluggy", "xdist"})
"""Tools of every run, also where they are developed."""


def members_of(value: Any) -> dict[str, Any]:
    """Return an object's attributes without running any of its code.

    Module globals may be proxies that raise, or act, on first access (even ``isinstance`` reads
    their ``__class__``), so only their real type is used; a class may also define a property
    named ``__dict__``.
    """
    members = dict_of(value)
    return members if type(members) is dict else {}


def dict_of(value: Any) -> Any:
    """Return an object's ``__dict__``, which may be a subclass of dict; None: it has none.

    No code of the object runs, but a dict subclass may override methods.
    """
    try:
        holder = _known_holder(type(value))
    except TypeError:  # a class that cannot be hashed
        holder = _holder_of_members(type(value))
    return None if holder is None else holder.__get__(value)


def is_globals(value: Any) -> bool:
    """Say whether an object is the dict of a module's globals: of one that code has made, too."""
    return type(value) is dict and ("__builtins__" in value or "__spec__" in value)


def _holder_of_members(kind: type) -> Any:
    """Return the descriptor of ``__dict__`` for objects of a type; None: they have none.

    That of a class is none: it is a view. Nor is that of a proxy in C (wrapt, lazy_object_proxy):
    it shows the attributes of the object behind the proxy, and may call a function of the code
    under test to make that object.
    """
    if issubclass(kind, type):
        return None
    for base in bases_of(kind):
        members = attributes_of(base)
        found = members.get("__dict__")
        if type(found) in _REAL_DICT:
            is_of_proxy = type(members.get("__wrapped__")) is types.GetSetDescriptorType
            return None if is_of_proxy else found
    return None


_known_holder = of_kind(_holder_of_members)

_REAL_DICT = (types.GetSetDescriptorType, types.MemberDescriptorType)


def modules_under_test() -> list[ModuleType]:
    """Return the imported modules of the code under test, each once, in a stable order."""
    global _known
    imported = sys.modules.copy()
    now: list[str | int] = [*imported, *map(identity, (*imported.values(), *_conftests))]
    found = [module for reference in _known.found if (module := reference()) is not None]
    if now != _known.imported or len(found) < len(_known.found):
        found = _each_once([one for one in imported.items() if is_under_test(one[1])])
        _known = _KnownModules(now, [ref(module) for module in found])
    return found


class _KnownModules(NamedTuple):
    """The last result, cached because a check asks often and imports are rare."""

    imported: list[str | int]
    """The names and identities of all imported modules."""
    found: list[ref[ModuleType]]


_known = _KnownModules([], [])


def _each_once(named: list[tuple[str, ModuleType]]) -> list[ModuleType]:
    """Return modules sorted by name in ``sys.modules``, then conftests missing there, each once."""
    by_name = [module for _, module in sorted(named, key=itemgetter(0))]
    return list({identity(module): module for module in (*by_name, *_conftests)}.values())


_conftests: list[ModuleType] = []


def remember_conftest(module: ModuleType) -> None:
    """Remember a conftest until its run is over: one in another folder takes its module name."""
    if is_under_test(module) and not any(module is one for one in _conftests):
        _conftests.append(module)


def forget_conftests(modules: Iterable[Any]) -> None:
    """Forget the conftests among ``modules`` when the run that loaded them is over."""
    gone = set(map(identity, modules))
    _conftests[:] = [module for module in _conftests if identity(module) not in gone]


def own_mistake(error: BaseException) -> Exception | None:
    """Return ``error`` if it is a bug of this package; None otherwise.

    That is a built-in exception without code under test in its traceback: this package's own
    exceptions are answers, or control flow.
    """
    if not isinstance(error, Exception) or type(error).__module__ != "builtins":
        return None
    modules = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__))
    return None if any(map(is_under_test_name, modules)) else error


_PASSING_ON = frozenset({"__getattr__", "__getattribute__", "__get__"})
"""Functions of our substitutes that forward attribute access to a real object."""


def missed_name(error: BaseException) -> bool:
    """Say whether our code read a private attribute that a foreign object does not have.

    Another version of a library, or of Python, may have renamed it (docs/compatibility.md). The
    error looks like one of the code under test, because it is raised inside a call of that code.
    """
    name = getattr(error, "name", None) if isinstance(error, AttributeError) else None
    if not isinstance(name, str) or not name.startswith("_") or name.startswith("__"):
        return False
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    if not frames or frames[-1].f_code.co_name in _PASSING_ON:
        return False
    return str(frames[-1].f_globals.get("__name__")).startswith((RUNTIME, LAYERS))
