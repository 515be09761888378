"""Which modules are code under test: all but the standard library, this plugin and its tools."""

import sys
from types import ModuleType

_TOOLS = frozenset(
    {
        "pytest_supercache", "redis", "valkey", "fakeredis", "lupa", "hiredis", "freezegun",
        "dateutil", "pytest", "_pytest", "pluggy", "iniconfig", "xdist", "execnet", "hypothesis",
        "sortedcontainers", "allure", "allure_commons", "allure_pytest", "attr", "attrs", "ruamel",
        "jinja2", "markupsafe", "rich", "markdown_it", "mdurl", "pygments", "click", "packaging",
        "coverage", "pip", "setuptools", "pkg_resources", "_distutils_hack", "typing_extensions",
        "mypy", "ruff", "debugpy", "pydevd", "_pydevd_bundle", "IPython", "py",
    }
)  # fmt: skip

_SHIPPED_SYSTEMS = "pytest_supercache.reference"


def is_under_test(module: ModuleType | None) -> bool:
    """Say whether a module's locks, sleeps and globals belong to the code under test."""
    name = getattr(module, "__name__", None)
    if not isinstance(name, str):
        return False
    if name.startswith(_SHIPPED_SYSTEMS):
        return True
    top = name.partition(".")[0]
    return top not in _TOOLS and top not in sys.stdlib_module_names


def modules_under_test() -> list[ModuleType]:
    """Return the imported modules of the code under test, in a stable order."""
    return [module for _, module in sorted(sys.modules.items()) if is_under_test(module)]
