"""Finds conftest files, plugins and settings of a project that the command line sets aside.

Conftest files and plugins prepare the code under test: without them, it may run without its cache.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pytest_supercache.plugin.arguments import added_options, replacing

_CONFTEST = "conftest.py"
_OURS = {"supercache", "pytest_supercache.plugin"}  # of which one is blocked when both are named


def set_aside(config: pytest.Config, files: Iterable[Path]) -> list[str]:
    """Return the conftest files above ``files``, and the named plugins, that were not loaded."""
    loaded = [one for one in config.pluginmanager.get_plugins() if isinstance(one, ModuleType)]
    conftests = {os.path.realpath(str(one.__file__)): one for one in loaded if _is_conftest(one)}
    unread = {*_conftests_above(files, config.rootpath)} - {*conftests}
    shown = {path: _shown(path, config) for path in (*unread, *conftests)}
    return sorted([*map(shown.__getitem__, unread), *_blocked(config, conftests, shown)])


def _is_conftest(module: ModuleType) -> bool:
    return Path(getattr(module, "__file__", None) or "").name == _CONFTEST


def _conftests_above(files: Iterable[Path], root: Path) -> Iterator[str]:
    """Yield the conftest files from the root down to the files."""
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(root)}
    for folder in folders:
        if (path := folder / _CONFTEST).is_file():
            yield os.path.realpath(path)


def _blocked(
    config: pytest.Config, conftests: dict[str, ModuleType], shown: dict[str, str]
) -> Iterator[str]:
    """Yield the plugins that the project names and that `-p no:NAME` has switched off."""
    plugins = (one.removeprefix("-p") for one in added_options(config) if one.startswith("-p"))
    named = {one.removeprefix("="): "addopts" for one in plugins}
    for path, module in conftests.items():
        given = getattr(module, "pytest_plugins", None) or ()
        named |= dict.fromkeys([given] if isinstance(given, str) else given, shown[path])
    for name, where in named.items():
        if name not in _OURS and config.pluginmanager.is_blocked(name):
            yield f"the plugin {name}, which {where} names,"


def _shown(path: str, config: pytest.Config) -> str:
    return Path(os.path.relpath(path, os.path.realpath(config.rootpath))).as_posix()


_ABOUT_OUTPUT = (
    "log_", "junit_", "console_", "cache_dir", "truncation_", "verbosity_", "faulthandler_",
    "tmp_path_", "supercache_",
)  # fmt: skip
"""Beginnings of the names of settings by which the same is run; ours are told elsewhere."""


_STRICTER = frozenset({"strict=true", "strict_config=true", "strict_markers=true"})
"""What `--strict` and its like replace: more is an error by them, and all else is the same."""


def replaced_settings(config: pytest.Config) -> list[str]:
    """Return the settings of the project that the command line replaces (`-o NAME=VALUE`)."""
    names = {option.partition("=")[0] for option in {*replacing(config)} - _STRICTER}
    return sorted(name for name in names if not name.startswith(_ABOUT_OUTPUT))
