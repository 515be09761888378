"""What is read, or asked, several times in a row is no loop; a loop that waits is one."""

import dataclasses
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of

TIMES = 6  # more often than code asks before it may be taken for a loop


class Rate:
    """Two numbers that belong together."""

    def __init__(self):
        self.value = 1
        self.currency = "eur"


class Inherited:
    """The same, with defaults in the class."""

    value = 1
    currency = "eur"


@dataclasses.dataclass
class Compared:
    """The same, with an `__eq__` of Python."""

    value: int = 1
    currency: str = "eur"


def _change(rate):
    rate.value = 2
    rate.currency = "usd"


def _torn(world, rate, read):
    """Let somebody read the two in this order while they are changed in this order."""
    world.actor("writer", _change, rate)
    world.actor("reader", read)
    assert world.run()["reader"] != (1, "usd")


@broken("the writer comes in after the last of the six reads")
def a_value_read_six_times_in_one_line(world):
    rate = Rate()

    def read():
        highest = max(rate.value, rate.value, rate.value, rate.value, rate.value, rate.value)
        return highest, rate.currency

    _torn(world, rate, read)


@right("the currency is read first, so that with the new one comes the new value")
def a_value_read_six_times_last(world):
    rate = Rate()

    def read():
        currency = rate.currency
        return max(rate.value, rate.value, rate.value, rate.value, rate.value), currency

    _torn(world, rate, read)


@broken("the writer comes in after the last of the comparisons")
def a_value_of_the_class_in_a_chain_of_comparisons(world):
    rate = Inherited()

    def read():
        if rate.value == 3 or rate.value == 4 or rate.value == 5 or rate.value == 2:
            return None
        return 1, rate.currency

    _torn(world, rate, read)


@right("the currency is read first")
def a_currency_of_the_class_before_comparisons(world):
    rate = Inherited()

    def read():
        currency = rate.currency
        if rate.value == 3 or rate.value == 4 or rate.value == 5 or rate.value == 2:
            return None
        return 1, currency

    _torn(world, rate, read)


@broken("the writer comes in between the last case and the read")
def cases_of_a_mapping(world):
    rate = {"value": 1, "currency": "eur"}

    def change():
        rate["value"] = 2
        rate["currency"] = "usd"

    def read():
        match rate:
            case {"value": 3}:
                return None
            case {"value": 4}:
                return None
            case {"value": 1}:
                return 1, rate["currency"]
        return None

    world.actor("writer", change)
    world.actor("reader", read)
    assert world.run()["reader"] != (1, "usd")


@right("the currency is part of the one case that counts, and is changed last")
def cases_of_a_mapping_read_backwards(world):
    rate = {"value": 1, "currency": "eur"}

    def change():
        rate["value"] = 2
        rate["currency"] = "usd"

    def read():
        currency = rate["currency"]
        match rate:
            case {"value": 3}:
                return None
            case {"value": 1}:
                return 1, currency
        return None

    world.actor("writer", change)
    world.actor("reader", read)
    assert world.run()["reader"] != (1, "usd")


@broken("the writer comes in between two comparisons that both say no")
def objects_compared_by_code_of_python(world):
    rate = Compared()
    world.actor("writer", _change, rate)
    world.actor("reader", lambda: rate == Compared() or rate == Compared(2, "usd"))
    assert world.run()["reader"]


@right("a third comparison says yes to what is between")
def objects_compared_with_what_is_between(world):
    rate = Compared()

    def known():
        states = Compared(), Compared(2), Compared(2, "usd")
        return any(rate == state for state in states)

    world.actor("reader", known)
    world.run()
    assert known()


@broken("the writer comes in after the function was called the last time")
def a_function_that_code_of_c_calls_six_times(world):
    rate = Rate()

    def ask(_):
        return rate.value

    _torn(world, rate, lambda: (max(map(ask, [0] * TIMES)), rate.currency))


@right("the currency is read first")
def a_function_that_code_of_c_calls_six_times_last(world):
    rate = Rate()

    def ask(_):
        return rate.value

    def read():
        currency = rate.currency
        return max(map(ask, [0] * TIMES)), currency

    _torn(world, rate, read)


class Order:
    """It is equal to what has the same number, and asks a table."""

    def __init__(self, number, rate):
        self.number = number
        self.rate = rate

    def __eq__(self, other):
        return self.rate.value == 0

    __hash__ = None


@broken("the writer comes in after the last comparison")
def a_list_that_is_searched_by_code_of_python(world):
    rate = Rate()
    orders = [Order(number, rate) for number in range(TIMES)]
    _torn(world, rate, lambda: (1 + (None in orders), rate.currency))


@right("the currency is read first")
def a_list_that_is_searched_last(world):
    rate = Rate()
    orders = [Order(number, rate) for number in range(TIMES)]

    def read():
        currency = rate.currency
        return (1 + (None in orders) if rate.value == 1 else 2), currency

    _torn(world, rate, read)


@broken("the event is set, and the value changed twice, after the last question")
def an_event_that_is_asked_six_times_in_one_line(world):
    event, rate = threading.Event(), Rate()

    def change():
        event.set()
        _change(rate)

    def read():
        is_set = event.is_set
        if is_set() or is_set() or is_set() or is_set() or is_set() or is_set():
            return None
        return 1, rate.currency

    world.actor("writer", change)
    world.actor("reader", read)
    assert world.run()["reader"] != (1, "usd")


@right("the currency is read before the event is asked")
def an_event_that_is_asked_six_times_afterwards(world):
    event, rate = threading.Event(), Rate()

    def change():
        event.set()
        _change(rate)

    def read():
        currency, is_set = rate.currency, event.is_set
        if is_set() or is_set() or is_set() or is_set() or is_set() or is_set():
            return None
        return 1, currency

    world.actor("writer", change)
    world.actor("reader", read)
    assert world.run()["reader"] != (1, "usd")


@broken("the flag is set after the last question, and the value changed")
def a_key_that_is_asked_for_six_times_in_one_line(world):
    redis = world.existing_cache.client()

    def change():
        redis.set("flag", 1)
        redis.set("value", 2)

    def read():
        get = redis.get
        if get("flag") or get("flag") or get("flag") or get("flag") or get("flag") or get("flag"):
            return None
        return redis.get("value")

    world.actor("writer", change)
    world.actor("reader", read)
    assert world.run()["reader"] is None


@right("the value is read before the flag")
def a_key_that_is_asked_for_six_times_afterwards(world):
    redis = world.existing_cache.client()

    def change():
        redis.set("flag", 1)
        redis.set("value", 2)

    def read():
        value, get = redis.get("value"), redis.get
        if get("flag") or get("flag") or get("flag") or get("flag") or get("flag") or get("flag"):
            return None
        return value

    world.actor("writer", change)
    world.actor("reader", read)
    assert world.run()["reader"] is None


@broken("the flag is set after the last question, and the value changed")
async def a_key_that_a_coroutine_asks_for_six_times_in_one_line(world):
    redis = world.existing_cache.aclient()

    async def change():
        await redis.set("flag", 1)
        await redis.set("value", 2)

    async def read():
        if (
            await redis.get("flag") or await redis.get("flag") or await redis.get("flag")
            or await redis.get("flag") or await redis.get("flag") or await redis.get("flag")
        ):  # fmt: skip
            return None
        return await redis.get("value")

    world.actor("writer", change)
    world.actor("reader", read)
    assert (await world.run())["reader"] is None


@right("the value is read before the flag")
async def a_key_that_a_coroutine_asks_for_six_times_afterwards(world):
    redis = world.existing_cache.aclient()

    async def change():
        await redis.set("flag", 1)
        await redis.set("value", 2)

    async def read():
        value = await redis.get("value")
        if (
            await redis.get("flag") or await redis.get("flag") or await redis.get("flag")
            or await redis.get("flag") or await redis.get("flag") or await redis.get("flag")
        ):  # fmt: skip
            return None
        return value

    world.actor("writer", change)
    world.actor("reader", read)
    assert (await world.run())["reader"] is None


# -- loops that wait -------------------------------------------------------------------------------


class Job:
    """A result, and whether it is there."""

    def __init__(self):
        self.done = False
        self.result = None

    @property
    def is_done(self):
        return self.done

    def has_ended(self):
        return self.done


def _waited_for(world, wait, *, in_order=True):
    """Let somebody wait for a job that says too early, or in time, that it is done."""
    job = Job()

    def work():
        if in_order:
            job.result = 1
        job.done = True
        job.result = 1

    def take():
        wait(job)
        return job.result

    world.actor("worker", work)
    world.actor("user", take)
    assert world.run()["user"] == 1


def _in_one_line(job):
    while not (job.done or job.done):
        pass


def _by_property(job):
    while not job.is_done:
        pass


def _by_method(job):
    while not job.has_ended():
        pass


class Ended:
    """It is equal to anything once its job has ended."""

    def __init__(self, job):
        self.job = job

    def __eq__(self, other):
        return self.job.done

    __hash__ = None


def _by_code_of_c(job):
    ends = [Ended(job), Ended(job)]
    while None not in ends:
        pass


@broken("done is said before the result is there")
def a_loop_that_asks_twice_in_one_line_too_early(world):
    _waited_for(world, _in_one_line, in_order=False)


@right("the loop ends when the result is there")
def a_loop_that_asks_twice_in_one_line(world):
    _waited_for(world, _in_one_line)


@broken("done is said before the result is there")
def a_loop_that_asks_a_property_too_early(world):
    _waited_for(world, _by_property, in_order=False)


@right("the loop ends when the result is there")
def a_loop_that_asks_a_property(world):
    _waited_for(world, _by_property)


@broken("done is said before the result is there")
def a_loop_that_asks_a_method_too_early(world):
    _waited_for(world, _by_method, in_order=False)


@right("the loop ends when the result is there")
def a_loop_that_asks_a_method(world):
    _waited_for(world, _by_method)


@broken("done is said before the result is there")
def a_loop_whose_question_code_of_c_asks_too_early(world):
    _waited_for(world, _by_code_of_c, in_order=False)


@right("the loop ends when the result is there")
def a_loop_whose_question_code_of_c_asks(world):
    _waited_for(world, _by_code_of_c)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
