"""``sc.reproduce``: makes a test of one recorded conflict, inside of a written reproducer.

It replays the schedule first. If that no longer fails, or no longer fits, it searches the flow: a
fix that adds steps must not break the regression test. Then the search decides.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.errors import SupercacheError, TokenError
from pytest_supercache.core.masking import is_id_of, masked_id
from pytest_supercache.core.schedule import read_token
from pytest_supercache.plugin.copies import file_of
from pytest_supercache.plugin.recorded import FLOW, Recorded
from pytest_supercache.plugin.shadowed import import_folder

if TYPE_CHECKING:
    from pytest_supercache.plugin.item_runner import ItemRunner


def reproduce(
    token: str,
    *,
    scenario: str | None = None,
    file: str | None = None,
    test: str | None = None,
    conftests: Iterable[str] = (),
) -> Callable[..., None]:
    """Make a test that replays ``token`` and, if that no longer fails, searches the flow.

    The test passes only if the search is exhausted and every guarantee holds.

    Args:
        token: the recorded schedule.
        scenario: the flow as the text of a scenario file; or else:
        file: the Python file with the flow, relative to the reproducer.
        test: the explored test in it: ``test_stale`` or ``TestShop.test_stale``.
        conftests: conftest files that register the systems, relative to the reproducer.

    Raises:
        SupercacheError: a file is missing, or has no such test, or the token cannot be read.
    """
    read_token(token)
    caller = sys._getframe(1)
    here = Path(caller.f_code.co_filename).parent
    modules = tuple(_loaded(here / path) for path in conftests)
    if scenario is not None:
        made = _of_scenario(Recorded(token=token, modules=modules), scenario)
    elif file is None or test is None:
        raise SupercacheError("reproduce() needs scenario=..., or file=... and test=...")
    else:
        module = _loaded(here / file)
        made = _of_test(Recorded(token=token, modules=(*modules, module)), module, test)
    # Reports shall point to the reproducer.
    made.__code__ = made.__code__.replace(
        co_filename=caller.f_code.co_filename, co_firstlineno=caller.f_lineno
    )
    return made


def introduce(config: pytest.Config, test: object) -> None:
    """Register the project's fixtures that a reproducer imports with pytest."""
    recorded = getattr(test, FLOW, None)
    for module in recorded.modules if isinstance(recorded, Recorded) else ():
        if not config.pluginmanager.is_registered(module):
            config.pluginmanager.register(module, f"supercache:{module.__file__}")


def _of_scenario(recorded: Recorded, text: str) -> FunctionType:
    def test(request: pytest.FixtureRequest, supercache_runner: "ItemRunner") -> None:
        from pytest_supercache.plugin.vocabulary import vocabulary
        from pytest_supercache.scenario.scenario import items
        from pytest_supercache.scenario.validate import load

        shown = request.node.nodeid.partition("::")[0]
        (item,) = items(load(f"{shown} (SCENARIO)", text, vocabulary()))
        named = read_token(recorded.token)[0]
        if not is_id_of(named, item.name):
            raise TokenError(
                f"the token is for {named!r}, the scenario is {masked_id(item.name)!r}"
            )
        supercache_runner.play(item, request.node)

    setattr(test, FLOW, recorded)
    assert isinstance(test, FunctionType), "a function was made"
    return test


def _of_test(recorded: Recorded, module: ModuleType, name: str) -> FunctionType:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not getattr(found, "is_explored", False):
        raise SupercacheError(f"{module.__file__} holds no explored test {name!r}")
    signature = inspect.signature(found)
    owner = name.rpartition(".")[0]

    def test(**given: Any) -> None:
        instance = [getattr(module, owner)()] if owner else []
        found(*instance, **given)

    parameters = [one for one in signature.parameters.values() if one.name != "self"]
    own = {key: value for key, value in vars(found).items() if key != "__wrapped__"}
    vars(test).update(own, __signature__=signature.replace(parameters=parameters))
    setattr(test, FLOW, recorded)
    assert isinstance(test, FunctionType), "a function was made"
    return test


def _loaded(path: Path) -> ModuleType:
    """Import a file of the project once, the way pytest does by default.

    Raises:
        SupercacheError: the file is missing.
    """
    path = path.resolve()
    if not path.is_file():
        raise SupercacheError(
            f"there is no {path}: the reproducer was moved, or this file. Correct its path in the "
            "call of sc.reproduce(...)"
        )
    for module in sys.modules.copy().values():
        if file_of(module) == str(path):
            return module
    top = import_folder(str(path))
    if top not in sys.path:
        sys.path.insert(0, top)
    name = ".".join(path.relative_to(top).with_suffix("").parts)
    if name not in sys.modules:
        module = importlib.import_module(name)
        if module.__file__ == str(path):
            return module
    spec = importlib.util.spec_from_file_location(f"{name}_{len(sys.modules)}", path)
    assert spec is not None, "a Python file can be imported"
    assert spec.loader is not None, "a Python file can be imported"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
