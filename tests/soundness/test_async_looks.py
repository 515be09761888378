"""A coroutine looks twice at what another one changes: by syntax, and by code written in C."""

import copy
import itertools
import json
import operator
from dataclasses import asdict, dataclass, replace
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest

from tests.soundness.truth import broken, right, systems_of

AGAIN = "the writer changes it between the reader's two looks, which an awaited command parts"
ONCE = "the reader looks once and goes on with what it has seen, which nobody changes"
TURN = "the reader looks twice in one turn, which nothing suspends"


@dataclass
class Pair:
    """Two copies of one thing."""

    first: str = "old"
    second: str = "old"


class Level(Enum):
    """One that is set at run time."""

    LOW = 1


async def _looked_at(world, pair, look, change, when="again"):
    far = world.existing_cache.aclient(decode_responses=True)

    async def write():
        await far.set("k", "new")
        change(pair)

    async def ask():
        seen = look(pair)
        if when == "turn":
            assert look(pair) == seen
        await far.get("x")
        if when == "again":
            assert look(pair) == seen

    world.actor("reader", ask)
    world.actor("writer", write)
    await world.run()


def _both(pair):
    pair.first = pair.second = "new"


def _matched(pair):
    match pair:
        case Pair(first=first, second=second):
            return first, second


_TEXT = "{0.first}"
_ITEM = "{x}"
_PERCENT = "%(x)s"


def _taken(*arguments: Any, **keywords: Any) -> Any:
    return arguments, keywords


@broken(AGAIN)
async def a_class_pattern(world):
    await _looked_at(world, Pair(), _matched, _both)


@right(TURN)
async def a_class_pattern_in_one_turn(world):
    await _looked_at(world, Pair(), _matched, _both, "turn")


@broken(AGAIN)
async def dataclasses_replace(world):
    await _looked_at(world, Pair(), lambda pair: replace(pair).first, _both)


@right(ONCE)
async def dataclasses_replace_seen_once(world):
    await _looked_at(world, Pair(), lambda pair: replace(pair).first, _both, "once")


@broken(AGAIN)
async def copy_of_an_object(world):
    await _looked_at(world, Pair(), lambda pair: copy.copy(pair).first, _both)


@broken(AGAIN)
async def deepcopy_of_an_object(world):
    await _looked_at(world, Pair(), lambda pair: copy.deepcopy(pair).first, _both)


@broken(AGAIN)
async def asdict_of_a_dataclass(world):
    await _looked_at(world, Pair(), lambda pair: asdict(pair), _both)


@broken(AGAIN)
async def vars_of_an_object(world):
    await _looked_at(world, Pair(), lambda pair: dict(vars(pair)), _both)


@broken(AGAIN)
async def a_format_with_fields(world):
    await _looked_at(world, Pair(), lambda pair: _TEXT.format(pair), _both)


@broken(AGAIN)
async def the_comparison_of_dataclasses(world):
    await _looked_at(world, Pair(), lambda pair: pair == Pair(), _both)


@broken(AGAIN)
async def the_repr_of_a_dataclass(world):
    await _looked_at(world, Pair(), repr, _both)


@broken(AGAIN)
async def a_namespace(world):
    await _looked_at(
        world, SimpleNamespace(first=1), lambda it: it.first, lambda it: setattr(it, "first", 2)
    )


@broken(AGAIN)
async def the_text_of_a_namespace(world):
    await _looked_at(world, SimpleNamespace(first=1), str, lambda it: setattr(it, "first", 2))


@broken(AGAIN)
async def starred_arguments_of_a_list(world):
    await _looked_at(
        world, ["x"], lambda keys: (lambda *all_of: all_of)(*keys), lambda keys: keys.append("y")
    )


@right(TURN)
async def starred_arguments_of_a_list_in_one_turn(world):
    await _looked_at(
        world,
        ["x"],
        lambda keys: (lambda *all_of: all_of)(*keys),
        lambda keys: keys.append("y"),
        "turn",
    )


@broken(AGAIN)
async def starred_arguments_of_a_set(world):
    await _looked_at(world, {"x"}, lambda keys: _taken(*keys), lambda keys: keys.add("y"))


@broken(AGAIN)
async def keyword_arguments_of_a_dict(world):
    await _looked_at(world, {"x": 1}, lambda near: _taken(**near), lambda near: near.update(y=2))


@broken(AGAIN)
async def a_format_with_a_mapping(world):
    await _looked_at(
        world, {"x": 1}, lambda near: _ITEM.format_map(near), lambda near: near.update(x=2)
    )


@broken(AGAIN)
async def a_percent_with_a_mapping(world):
    await _looked_at(world, {"x": 1}, lambda near: _PERCENT % near, lambda near: near.update(x=2))


@broken(AGAIN)
async def json_of_nested_lists(world):
    await _looked_at(world, {"x": [1]}, json.dumps, lambda near: near["x"].append(2))


@right(ONCE)
async def json_of_nested_lists_seen_once(world):
    await _looked_at(world, {"x": [1]}, json.dumps, lambda near: near["x"].append(2), "once")


@broken(AGAIN)
async def the_repr_of_a_nested_list(world):
    await _looked_at(world, [[1]], repr, lambda near: near[0].append(2))


@broken(AGAIN)
async def the_comparison_of_nested_lists(world):
    await _looked_at(world, [[1]], lambda near: near == [[1]], lambda near: near[0].append(2))


@broken(AGAIN)
async def a_deepcopy_of_nested_lists(world):
    await _looked_at(world, [[1]], copy.deepcopy, lambda near: near[0].append(2))


@broken(AGAIN)
async def a_chain_of_nested_lists(world):
    await _looked_at(
        world, [[1]], lambda near: list(itertools.chain(*near)), lambda near: near[0].append(2)
    )


@broken(AGAIN)
async def a_map_over_dicts(world):
    await _looked_at(
        world,
        [{"x": 1}],
        lambda near: list(map(operator.itemgetter("x"), near)),
        lambda near: near[0].update(x=2),
    )


@broken(AGAIN)
async def the_largest_by_a_method(world):
    await _looked_at(
        world,
        [{"x": 1}],
        lambda near: max(d.get("x") for d in near),
        lambda near: near[0].update(x=2),
    )


@broken(AGAIN)
async def attributes_of_an_enum_member(world):
    await _looked_at(
        world,
        Level.LOW,
        lambda it: getattr(it, "note", None),
        lambda it: setattr(it, "note", object()),
    )


@broken(AGAIN)
async def attributes_of_a_function(world):
    await _looked_at(
        world,
        _taken,
        lambda it: getattr(it, "note", None),
        lambda it: setattr(it, "note", object()),
    )


@right(TURN)
async def attributes_of_a_function_in_one_turn(world):
    await _looked_at(
        world,
        _taken,
        lambda it: getattr(it, "note", None),
        lambda it: setattr(it, "note", object()),
        "turn",
    )


@broken(AGAIN)
async def attributes_of_an_error(world):
    await _looked_at(world, ValueError(), lambda it: it.args, lambda it: setattr(it, "args", (1,)))


@broken(AGAIN)
async def the_next_of_a_zip(world):
    await _looked_at(
        world,
        [[1], [2]],
        lambda near: next(zip(*near, strict=True)),
        lambda near: near[0].insert(0, 2),
    )


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
