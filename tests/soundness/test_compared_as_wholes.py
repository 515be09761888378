"""Objects that code of a library compares, goes through, or turns into a dict or a tuple."""

import dataclasses
import operator
import threading
from contextlib import nullcontext
from typing import Any, NamedTuple

import attrs
import pydantic
import pytest

from tests.soundness.truth import broken, right, systems_of


class Model(pydantic.BaseModel):
    state: str = "new"


@attrs.define
class Defined:
    state: str = "new"


@pydantic.dataclasses.dataclass
class Assigned:
    state: str = "new"


class Owned(NamedTuple):
    owners: list


class Shelf(pydantic.BaseModel):
    job: Model
    rest: Any = None


def _mark(job):
    job.state = "taken"


def _taken_once(world, job, is_new, mark=_mark, lock=None):
    taken = []

    def take(name):
        with lock or nullcontext():
            if is_new(job):
                mark(job)
                taken.append(name)

    world.actor("one", take, "one")
    world.actor("two", take, "two")
    world.run()
    assert len(taken) == 1


def _each_takes_one(world, mine, yours, is_new, mark=_mark):
    taken = []

    def take(job):
        if is_new(job):
            mark(job)
            taken.append(1)

    world.actor("one", take, mine)
    world.actor("two", take, yours)
    world.run()
    assert len(taken) == 2


@broken("both find the model equal to a new one")
def models_of_pydantic(world):
    fresh = Model()
    _taken_once(world, Model(), lambda job: job == fresh)


@right("a lock is held from the look to the mark")
def models_of_pydantic_under_a_lock(world):
    fresh = Model()
    _taken_once(world, Model(), lambda job: job == fresh, lock=threading.Lock())


@broken("both find the object equal to a new one")
def objects_of_attrs(world):
    fresh = Defined()
    _taken_once(world, Defined(), lambda job: job == fresh)


@right("a lock is held from the look to the mark")
def objects_of_attrs_under_a_lock(world):
    fresh = Defined()
    _taken_once(world, Defined(), lambda job: job == fresh, lock=threading.Lock())


@broken("both find that nobody owns the job")
def named_tuples(world):
    fresh = Owned([])
    _taken_once(world, Owned([]), lambda job: job == fresh, lambda job: job.owners.append(1))


@right("each user has a tuple of its own")
def named_tuples_of_two_users(world):
    fresh = Owned([])

    def mark(job):
        job.owners.append(1)

    _each_takes_one(world, Owned([]), Owned([]), lambda job: job == fresh, mark)


@broken("both find the state new in a dict of their own")
def a_dict_of_a_model(world):
    _taken_once(world, Model(), lambda job: dict(job)["state"] == "new")


@right("each user has a model of its own")
def dicts_of_two_models(world):
    _each_takes_one(world, Model(), Model(), lambda job: dict(job)["state"] == "new")


@broken("both find the state new in a dict of their own")
def a_dict_of_an_object_of_attrs(world):
    _taken_once(world, Defined(), lambda job: attrs.asdict(job)["state"] == "new")


@right("a lock is held from the look to the mark")
def a_dict_of_an_object_of_attrs_under_a_lock(world):
    lock = threading.Lock()
    _taken_once(world, Defined(), lambda job: attrs.astuple(job) == ("new",), lock=lock)


def _made_here():
    @dataclasses.dataclass(order=True)
    class Job:
        state: str = "new"

    return Job(), Job()


@broken("both find the object equal to a new one; no module leads to its `__eq__`")
def objects_of_a_class_that_the_body_makes(world):
    job, fresh = _made_here()
    _taken_once(world, job, lambda job: job == fresh)


@right("each user has an object of its own")
def two_objects_of_a_class_that_the_body_makes(world):
    mine, yours = _made_here()
    _each_takes_one(world, mine, yours, lambda job: job.state == "new")


@broken("both find the object equal to a new one")
def dataclasses_of_pydantic(world):
    fresh = Assigned()
    _taken_once(world, Assigned(), lambda job: job == fresh)


@right("a lock is held from the look to the mark")
def dataclasses_of_pydantic_under_a_lock(world):
    fresh = Assigned()
    _taken_once(world, Assigned(), lambda job: job == fresh, lock=threading.Lock())


@broken("both find a new model in the list of what is new")
def a_model_in_a_list(world):
    fresh = [Model()]
    _taken_once(world, Model(), lambda job: job in fresh)


@right("each user looks for a model of its own")
def two_models_in_a_list(world):
    fresh = [Model()]
    _each_takes_one(world, Model(), Model(), lambda job: job in fresh)


@broken("both find a shared model in a list of their own")
def a_list_of_a_shared_model(world):
    _taken_once(world, Model(), lambda job: Model() in [job])


@right("a lock is held from the look to the mark")
def a_list_of_a_shared_model_under_a_lock(world):
    _taken_once(world, Model(), lambda job: Model() in [job], lock=threading.Lock())


@broken("both read the state of the model within the model")
def a_model_within_a_model(world):
    shelf, fresh = Shelf(job=Model()), Shelf(job=Model())
    _taken_once(world, shelf, lambda one: one == fresh, lambda one: _mark(one.job))


@right("each user has a shelf of its own")
def two_models_within_models(world):
    fresh = Shelf(job=Model())
    mine, yours = Shelf(job=Model()), Shelf(job=Model())
    _each_takes_one(world, mine, yours, lambda one: one == fresh, lambda one: _mark(one.job))


@broken("both go through the fields before either marks the model")
def a_loop_over_a_model(world):
    _taken_once(world, Model(), lambda job: all(value == "new" for _, value in job))


@right("a lock is held from the look to the mark")
def a_loop_over_a_model_under_a_lock(world):
    lock = threading.Lock()
    _taken_once(world, Model(), lambda job: [*job] == [("state", "new")], lock=lock)


@broken("both compare the object with a new one, by a function of `operator`")
def objects_of_attrs_compared_by_a_function(world):
    fresh = Defined()
    _taken_once(world, Defined(), lambda job: operator.eq(job, fresh))


@right("each user has an object of its own")
def two_objects_of_attrs_compared_by_a_function(world):
    fresh = Defined()
    _each_takes_one(world, Defined(), Defined(), lambda job: operator.eq(job, fresh))


@broken("both compare the model with a new one, by a function of `operator`")
def models_compared_by_a_function(world):
    fresh = Model()
    _taken_once(world, Model(), lambda job: operator.eq(job, fresh))


@right("each user has a model of its own")
def two_models_compared_by_a_function(world):
    fresh = Model()
    _each_takes_one(world, Model(), Model(), lambda job: operator.eq(job, fresh))


@broken("both find the fields new in a list of their own")
def a_list_of_fields(world):
    _taken_once(world, Model(), lambda job: list(job) == [("state", "new")])


@right("each user has a model of its own")
def lists_of_fields_of_two_models(world):
    _each_takes_one(world, Model(), Model(), lambda job: list(job) == [("state", "new")])


ADAPTER = pydantic.TypeAdapter(Model)


@broken("both find the state new in a dict of their own")
def a_dict_by_an_adapter(world):
    _taken_once(world, Model(), lambda job: ADAPTER.dump_python(job) == {"state": "new"})


@right("each user has a model of its own")
def dicts_of_two_models_by_an_adapter(world):
    def is_new(job):
        return ADAPTER.dump_python(job) == {"state": "new"}

    _each_takes_one(world, Model(), Model(), is_new)


def _is_valid(job):
    return Model.model_validate(job).state == "new"


@broken("both make a model of the shared dict before either changes it")
def a_dict_that_a_model_is_made_of(world):
    _taken_once(world, {"state": "new"}, _is_valid, lambda job: job.update(state="taken"))


@right("each user has a dict of its own")
def two_dicts_that_models_are_made_of(world):
    mine, yours = {"state": "new"}, {"state": "new"}
    _each_takes_one(world, mine, yours, _is_valid, lambda job: job.update(state="taken"))


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
