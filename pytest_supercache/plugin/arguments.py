"""Resolves the arguments of a run to files and folders: paths, node ids, or package names."""

import os
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest


def given_paths(config: pytest.Config) -> list[Path]:
    """Return the absolute paths of the arguments; symbolic links, also dangling ones, are kept."""
    here = config.invocation_params.dir
    found = [given_path(config, argument, here) for argument in config.args]
    return [path for path in found if os.path.lexists(path)]


def given_path(config: pytest.Config, argument: str, folder: Path) -> Path:
    """Return the path of one argument, relative to a folder: as in pytest, a module name first."""
    name = argument.partition("::")[0]
    module = _path_of_module(config, name) if config.getoption("pyargs") else None
    return Path(os.path.abspath(folder / (module or name)))  # noqa: PTH100 - resolve() follows links


def from_root(config: pytest.Config, argument: str, folder: Path | None = None) -> str:
    """Return an argument as a path from the root, with slashes, and the rest of its node id.

    Links within the root are resolved, so that one place has one name. The name of a package
    elsewhere stays as it is: its folder differs from machine to machine.
    """
    folder = folder or config.invocation_params.dir
    name, separator, rest = argument.partition("::")
    path, root = given_path(config, argument, folder), config.rootpath
    if not path.exists():
        return argument
    real, real_root = Path(os.path.realpath(path)), Path(os.path.realpath(root))
    if real.is_relative_to(real_root):
        path, root = real, real_root
    elif not (folder / name).exists():
        return argument
    return f"{Path(os.path.relpath(path, root)).as_posix()}{separator}{rest}"


def _path_of_module(config: pytest.Config, name: str) -> str | None:
    """Return the file of a module or the folder of a package; None if there is none."""
    try:
        spec = find_spec(name)
    except (AttributeError, ImportError, ValueError):  # it is no name of a module
        return None
    if spec is None or not spec.submodule_search_locations:
        return spec.origin if spec else None
    if config.getini("consider_namespace_packages"):
        return str(next(iter(spec.submodule_search_locations)))
    return str(Path(spec.origin).parent) if spec.origin else None


def added_options(config: pytest.Config) -> set[str]:
    """Return the options that `addopts` adds to this run, those with a value as `FLAG=VALUE`."""
    replaced = config.getoption("override_ini") or ()
    is_replaced = any(one.partition("=")[0].strip() == "addopts" for one in replaced)
    words: list[str] = [] if is_replaced else config.getini("addopts")
    return {*words, *(f"{flag}={value}" for flag, value in pairwise(words))}


def own_options(config: pytest.Config) -> set[str]:
    """Return what the project's own `addopts` adds: with `-c FILE` it is that of another file."""
    return set() if config.getoption("inifilename") else added_options(config)


def replacing(config: pytest.Config) -> list[str]:
    """Return what the command line gives by `-o NAME=VALUE`; `addopts` may give some itself."""
    own = own_options(config)
    given: list[str] = config.getoption("override_ini") or []
    return [one for one in given if own.isdisjoint({f"-o={one}", f"--override-ini={one}"})]
