"""``@explore`` makes a test function a body that runs once per interleaving."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, overload

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.fault import Faults
from pytest_supercache.core.settings import OF_A_CHECK, Assume
from pytest_supercache.declare.held import note_surroundings, replaced
from pytest_supercache.declare.late_binding import bound_late
from pytest_supercache.declare.registry import REGISTRY, Decorated
from pytest_supercache.oracle.guarantee import Guarantee, as_guarantees
from pytest_supercache.plugin.early_exit import EarlyExit
from pytest_supercache.plugin.fixtures import LAYER_FIXTURES
from pytest_supercache.plugin.items import is_given
from pytest_supercache.plugin.no_tests import being_imported
from pytest_supercache.world.unrun import ran
from pytest_supercache.world.world import World

if TYPE_CHECKING:
    import pytest

    from pytest_supercache.plugin.item_runner import ItemRunner

_Test = Callable[..., Any]


@overload
def explore(test: _Test) -> _Test: ...
@overload
def explore(
    *,
    search: str = ...,
    grain: str = ...,
    seed: int = ...,
    executions: int = ...,
    time: float = ...,
    ticks: int | str = ...,
    preemptions: int | None = ...,
    polls: int = ...,
    memory: str = ...,
    atomic: Sequence[str] = ...,
    faults: Faults | None = ...,
    guarantees: Iterable[Guarantee] = ...,
    assume: Assume | None = ...,
    stop_at_first: bool = ...,
) -> Callable[[_Test], _Test]: ...


def explore(
    test: _Test | None = None, *, guarantees: Iterable[Guarantee] = (), **own: Any
) -> _Test | Callable[[_Test], _Test]:
    """Run a test function under every interleaving of its actors.

    The function takes ``world`` and any fixtures. Its body runs once per interleaving; fixtures are
    made once for all of them. The options are those of :func:`pytest_supercache.check`.

    Raises:
        SupercacheError: the function has no parameter ``world`` or is wrapped by
            ``@given``, or an option is unknown or wrong.
    """
    unknown = sorted(set(own) - OF_A_CHECK)
    if unknown:
        known = ", ".join(sorted(OF_A_CHECK))
        raise SupercacheError(f"@explore: unknown option {', '.join(unknown)}; expected {known}")
    wanted = as_guarantees(guarantees)
    if test is None:
        return lambda function: _explored(function, own, wanted)
    return _explored(test, own, wanted)


_NEEDED = ("request", "supercache_runner")
"""The fixtures that every explored test requests."""


def _name(function: _Test) -> str:
    written = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return str(getattr(written, "__qualname__", repr(written)))


def _refuse_draws(name: str, fixtures: dict[str, Any]) -> None:
    from pytest_supercache.search.generated import draws

    for parameter, value in fixtures.items():
        if draws(value):
            raise SupercacheError(
                f"@explore: {name} takes {parameter}=st.data(): its body runs once per "
                "interleaving and would draw something else each time. Let @given draw what it "
                "needs, for example st.integers() or st.lists(...)."
            )


def _refuse_values(name: str, request: "pytest.FixtureRequest", fixtures: dict[str, Any]) -> None:
    """Refuse fixtures and parameters that would mean something else inside of a body."""
    _refuse_subtests(name, request)
    if is_given(request.node):
        _refuse_draws(name, fixtures)


def _refuse_subtests(name: str, request: "pytest.FixtureRequest") -> None:
    """Refuse pytest's `subtests`, whoever requests it: its failures do not fail a body."""
    if "subtests" not in request.fixturenames:
        return
    made_by = type(request.getfixturevalue("subtests")).__module__.partition(".")[0]
    if made_by in {"_pytest", "pytest_subtests"}:
        raise SupercacheError(
            f"@explore: {name} takes the fixture 'subtests', or a fixture of it does. What fails "
            "in a subtest is reported and does not end the body, so that no interleaving would be "
            "found to fail. Say it by `assert` alone, or take one test for each case "
            "(@pytest.mark.parametrize)."
        )


def _without_value(name: str, returned: Any) -> Any:
    """Refuse a return value of a body, or of the coroutine that the body returns."""
    if inspect.iscoroutine(returned):
        return _awaited_without_value(name, returned)
    if ran(returned, name) is not None:
        raise SupercacheError(
            f"@explore: {name} returned a value of type {type(returned).__name__}, which nobody "
            "looks at. A test says what must hold by `assert`: take that instead of `return`"
        )
    return None


async def _awaited_without_value(name: str, coroutine: Any) -> Any:
    return _without_value(name, await coroutine)


def prepare(test: _Test) -> None:
    """Prepare a collected test for the checks of Hypothesis's pytest plugin."""
    blob = "_hypothesis_internal_use_reproduce_failure"
    if hasattr(test, "hypothesis"):
        from pytest_supercache.search.generated import suited

        suited(test)
    elif blob in vars(test):  # without @given it would be called pointless
        vars(test)["reproduce"] = vars(test).pop(blob)


def _explored(function: _Test, own: dict[str, Any], guarantees: tuple[Guarantee, ...]) -> _Test:
    signature = inspect.signature(function)
    parameters = dict(signature.parameters)
    name = _name(function)
    if "world" not in parameters:
        raise SupercacheError(f"@explore: {name} needs a parameter `world`")
    if hasattr(function, "hypothesis"):
        raise SupercacheError(
            f"@explore around @given does not work for {name}: every example would be explored "
            "under one schedule. Put @given on the outside."
        )
    if late := bound_late(function, f"the test {name}"):
        variable, earlier = late
        raise SupercacheError(
            f"@explore: {name} reads {variable!r} when it is called, and so does {earlier}, for "
            "which it was another value: both get its last one. Take it as a parameter "
            "(@pytest.mark.parametrize), make each test in a function that takes it, or give each "
            "a variable of its own"
        )
    is_made = "<locals>" in getattr(function, "__qualname__", "")
    if is_made and (part := replaced(function, f"the test {name}")):
        raise SupercacheError(
            f"@explore: {name} leads to {part[0]}, which had another value when {part[1]} was "
            "made: both find the last one. Give each test an object of its own, or only the "
            "values that it needs"
        )
    asked = {one for one, parameter in parameters.items() if not _has_default(parameter)}
    made = sorted(asked & set(LAYER_FIXTURES))
    if made:
        raise SupercacheError(
            f"@explore: {name} takes the fixture {made[0]!r}, which is made once and would keep "
            "its content from one interleaving to the next. Use world.existing_cache, "
            "world.origin, world.super_cache or world.clock."
        )
    return _wrapped(function, signature, own, guarantees)


def _has_default(parameter: inspect.Parameter) -> bool:
    return parameter.default is not inspect.Parameter.empty


def _as_pytest_sees(signature: inspect.Signature) -> inspect.Signature:
    """Return the signature of what pytest calls, or ``@given`` wraps.

    What ``@given`` fills from the right must stand on the right, and nothing may be keyword-only.
    """
    parameters = dict(signature.parameters)
    is_method = next(iter(parameters)) == "self"
    asked = [p for p in parameters.values() if p.name not in {"world", "self", *_NEEDED}]
    asked.sort(key=_has_default)  # pytest leaves these alone: they are no fixtures
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return signature.replace(
        parameters=[
            *([parameters["self"]] if is_method else []),
            *(inspect.Parameter(needed, positional) for needed in _NEEDED),
            *(p.replace(kind=positional) for p in asked),
        ]
    )


def _wrapped(
    function: _Test, signature: inspect.Signature, own: dict[str, Any], guarantees: tuple[Any, ...]
) -> _Test:
    """Make the function that pytest calls, or that ``@given`` wraps."""
    parameters, name_of_test = dict(signature.parameters), _name(function)
    rewritten = _as_pytest_sees(signature)
    place = inspect.unwrap(function).__code__
    note_surroundings(inspect.unwrap(function))
    module, module_path = being_imported()
    decorated = REGISTRY.decorate(
        Decorated(
            path=place.co_filename,
            line=place.co_firstlineno,
            name=name_of_test,
            module=module,
            module_path=module_path,
        )
    )

    def explored_test(*args: Any, **kwargs: Any) -> None:
        REGISTRY.explored[decorated] = True
        given = rewritten.bind(*args, **kwargs).arguments
        node: pytest.Item = given["request"].node
        item_runner: ItemRunner = given["supercache_runner"]
        fixtures = {name: value for name, value in given.items() if name in parameters}
        _refuse_values(name_of_test, given["request"], fixtures)
        early_exit = EarlyExit(is_example=is_given(node))

        def body(world: World) -> Any:
            returned = early_exit.run(lambda world: function(**fixtures, world=world), world)
            return _without_value(name_of_test, returned)

        update_wrapper(body, function, assigned=(), updated=())  # what `inspect.unwrap` finds

        reproduce = vars(explored_test).get("reproduce")
        with early_exit.at_the_end():
            item_runner.explore(
                body,
                node,
                own,
                guarantees,
                reject_example=early_exit.reject_example,
                reproduce=reproduce,
            )

    update_wrapper(explored_test, function)
    # Nobody may look through to the function, whose parameters are others; so the code itself says
    # where it stands, also to Hypothesis.
    vars(explored_test).pop("__wrapped__")
    explored_test.__code__ = explored_test.__code__.replace(
        co_filename=place.co_filename, co_firstlineno=place.co_firstlineno
    )
    vars(explored_test).update(__signature__=rewritten, is_explored=True, decorated=decorated)
    return explored_test
