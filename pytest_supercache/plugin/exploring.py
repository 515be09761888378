"""``@explore``: a test function becomes a body that runs once per interleaving."""

import inspect
from collections.abc import Callable, Iterable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, overload

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.settings import Assume
from pytest_supercache.oracle.guarantee import Guarantee
from pytest_supercache.plugin.fixtures import LAYER_FIXTURES
from pytest_supercache.world import World

if TYPE_CHECKING:
    import pytest

    from pytest_supercache.plugin.bench import Bench

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
    memory: str = ...,
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
        SupercacheError: the function has no parameter ``world``, is a coroutine function or is
            wrapped by ``@given``, or an option is unknown.
    """
    unknown = sorted(set(own) - _OPTIONS)
    if unknown:
        raise SupercacheError(
            f"@explore: unknown option {', '.join(unknown)}; expected {', '.join(sorted(_OPTIONS))}"
        )
    if test is None:
        return lambda function: _explored(function, own, tuple(guarantees))
    return _explored(test, own, tuple(guarantees))


_OPTIONS = frozenset(
    {"search", "grain", "seed", "executions", "time", "ticks", "preemptions", "memory", "assume",
     "stop_at_first"}
)  # fmt: skip


def _explored(function: _Test, own: dict[str, Any], guarantees: tuple[Guarantee, ...]) -> _Test:
    signature = inspect.signature(function)
    parameters = dict(signature.parameters)
    name = getattr(function, "__qualname__", repr(function))
    if "world" not in parameters:
        raise SupercacheError(f"@explore: {name} needs a parameter `world`")
    if inspect.iscoroutinefunction(function):
        raise SupercacheError(
            f"@explore: {name} is async; asyncio is not available in this version"
        )
    if hasattr(function, "hypothesis"):
        raise SupercacheError(
            f"@explore around @given does not work for {name}: every example would be explored "
            "under one schedule. Put @given on the outside."
        )
    made = sorted(set(parameters) & set(LAYER_FIXTURES))
    if made:
        raise SupercacheError(
            f"@explore: {name} takes the fixture {made[0]!r}, which is made once and would keep "
            "its content from one interleaving to the next. Use world.existing_cache, "
            "world.origin, world.super_cache or world.clock."
        )
    is_method = next(iter(parameters)) == "self"

    def wrapper(*args: Any, **fixtures: Any) -> None:
        node: pytest.Item = fixtures["request"].node
        bench: Bench = fixtures["supercache_bench"]
        wanted = {name: value for name, value in fixtures.items() if name in parameters}

        def body(world: World) -> None:
            function(*args, world=world, **wanted)

        bench.explore(body, node, own, guarantees)

    update_wrapper(wrapper, function)  # pytest finds the place of the test through __wrapped__
    keyword = inspect.Parameter.KEYWORD_ONLY
    own_parameters = [p for p in parameters.values() if p.name not in {"world", "self"}]
    wrapper.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[
            *([parameters["self"]] if is_method else []),
            *(p.replace(kind=keyword) for p in own_parameters),
            *(
                inspect.Parameter(extra, keyword)
                for extra in ("request", "supercache_bench")
                if extra not in parameters
            ),
        ]
    )
    wrapper.is_explored = True  # type: ignore[attr-defined]
    return wrapper
