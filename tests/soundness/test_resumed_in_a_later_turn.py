"""What a task does after another one has ended, answered or signalled: others may come before."""

import asyncio

import anyio
import pytest

from tests.soundness.truth import broken, right, systems_of

LATER = "between the step that lets the task go on and its next line, the other one has read, too"
AT_ONCE = "what was read and what is written are of one turn"


async def _nothing():
    """Return without a wait."""


async def _task():
    await asyncio.create_task(_nothing())


async def _two():
    await asyncio.gather(_nothing(), _nothing())


async def _shielded():
    await asyncio.shield(_nothing())


async def _group():
    async with asyncio.TaskGroup() as group:
        group.create_task(_nothing())


async def _waited():
    await asyncio.wait([asyncio.create_task(_nothing())])


async def _signalled():
    event = asyncio.Event()

    async def signal():
        event.set()

    task = asyncio.create_task(signal())
    await event.wait()
    await task


async def _queued():
    queue = asyncio.Queue()

    async def produce():
        queue.put_nowait("item")

    task = asyncio.create_task(produce())
    await queue.get()
    await task


async def _scheduled():
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, None)
    await future


async def _cancelled_group():
    """End a group of anyio, which repeats a callback of its own until the task has ended."""
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        await asyncio.create_task(_nothing())
        group.cancel_scope.cancel()


async def _timed_out():
    with anyio.move_on_after(0.001):
        await anyio.sleep(1)
    await asyncio.create_task(_nothing())


async def _counted(world, wait, *, reads_after=False):
    near = {"n": 0}

    async def count():
        seen = near["n"]
        await wait()
        if reads_after:
            seen = near["n"]
        near["n"] = seen + 1

    world.actor("a", count)
    world.actor("b", count)
    await world.run()
    assert near["n"] == 2


@broken(LATER)
async def counted_around_a_task(world):
    await _counted(world, _task)


@right(AT_ONCE)
async def counted_after_a_task(world):
    await _counted(world, _task, reads_after=True)


@broken(LATER)
async def counted_around_gather(world):
    await _counted(world, _two)


@right(AT_ONCE)
async def counted_after_gather(world):
    await _counted(world, _two, reads_after=True)


@broken(LATER)
async def counted_around_a_shield(world):
    await _counted(world, _shielded)


@right(AT_ONCE)
async def counted_after_a_shield(world):
    await _counted(world, _shielded, reads_after=True)


@broken(LATER)
async def counted_around_a_group(world):
    await _counted(world, _group)


@right(AT_ONCE)
async def counted_after_a_group(world):
    await _counted(world, _group, reads_after=True)


@broken(LATER)
async def counted_around_a_wait(world):
    await _counted(world, _waited)


@right(AT_ONCE)
async def counted_after_a_wait(world):
    await _counted(world, _waited, reads_after=True)


@broken(LATER)
async def counted_around_an_event(world):
    await _counted(world, _signalled)


@right(AT_ONCE)
async def counted_after_an_event(world):
    await _counted(world, _signalled, reads_after=True)


@broken(LATER)
async def counted_around_a_queue(world):
    await _counted(world, _queued)


@right(AT_ONCE)
async def counted_after_a_queue(world):
    await _counted(world, _queued, reads_after=True)


@broken(LATER)
async def counted_around_a_scheduled_call(world):
    await _counted(world, _scheduled)


@right(AT_ONCE)
async def counted_after_a_scheduled_call(world):
    await _counted(world, _scheduled, reads_after=True)


@broken(LATER)
async def counted_around_a_cancelled_group(world):
    await _counted(world, _cancelled_group)


@right(AT_ONCE)
async def counted_after_a_cancelled_group(world):
    await _counted(world, _cancelled_group, reads_after=True)


@broken(LATER)
async def counted_around_a_timeout(world):
    await _counted(world, _timed_out)


@right(AT_ONCE)
async def counted_after_a_timeout(world):
    await _counted(world, _timed_out, reads_after=True)


async def _near(world, *, asks_again):
    origin, near, version = world.origin.aio, {}, [0]
    await origin.set("k", 1)

    async def load():
        asked = version[0]
        value = await origin.get("k")
        return value if asked == version[0] else None

    async def get():
        asked = version[0]
        value = await asyncio.create_task(load())
        if value is not None and (not asks_again or asked == version[0]):
            near["k"] = value

    async def put():
        await origin.set("k", 2)
        version[0] += 1
        near.pop("k", None)

    world.actor("a", get)
    world.actor("b", put)
    await world.run()
    assert near.get("k", 2) == 2


@broken("the write comes between the task's own question and the store of what it returns")
async def a_task_that_asks_before_it_returns(world):
    await _near(world, asks_again=False)


@right("the version is compared once more where the value is stored")
async def a_version_compared_where_the_value_is_stored(world):
    await _near(world, asks_again=True)


async def _called_back(world, *, in_the_callback):
    far, near = world.existing_cache.aclient(decode_responses=True), {"left": 1}

    async def take():
        task = asyncio.create_task(far.get("x"))
        seen = []
        if not in_the_callback:
            await asyncio.sleep(0)
            seen.append(near["left"])

        def store(_task):
            if in_the_callback:
                seen.append(near["left"])
            near["left"] = seen[0] - 1
            assert near["left"] >= -1

        task.add_done_callback(store)
        await task

    world.actor("a", take)
    world.actor("b", take)
    await world.run()
    assert near["left"] == -1


@broken("the callback stores what was read before the task ended")
async def read_before_and_stored_by_a_callback(world):
    await _called_back(world, in_the_callback=False)


@right("the callback reads and stores at once")
async def read_and_stored_by_a_callback(world):
    await _called_back(world, in_the_callback=True)


async def _told(world, *, after_a_command):
    far, event, log = world.existing_cache.aclient(), asyncio.Event(), []

    async def tell():
        sent = asyncio.create_task(far.get("x")) if after_a_command else None
        if after_a_command:
            await far.get("y")
        event.set()
        await (sent or far.get("x"))
        log.append("told")

    async def hear():
        if not event.is_set():
            await event.wait()
            log.append("heard")

    world.actor("a", hear)
    world.actor("b", tell)
    await world.run()
    assert log != ["told", "heard"]


@broken("the answer to a command sent before the signal may come in the turn of the signal")
async def an_answer_that_was_on_its_way(world):
    await _told(world, after_a_command=True)


@right("the waiter goes on in the next turn, an answer to what is sent now one turn later")
async def an_answer_to_what_is_sent_after_the_signal(world):
    await _told(world, after_a_command=False)


async def _in_order(world, *tellers):
    """Two wait for a signal each; each teller reads something before each of its turns."""
    far, events = world.existing_cache.aclient(), [asyncio.Event(), asyncio.Event()]
    heard = []

    async def hear(number):
        if not events[number].is_set():
            await events[number].wait()
            heard.append(number)

    async def tell(turns):
        for turn in turns:
            await far.get(f"key {turn}")
            for number in turn:
                events[number].set()

    for number in range(2):
        world.actor(f"hearer{number}", hear, number)
    for at, turns in enumerate(tellers):
        world.actor(f"teller{at}", tell, turns)
    await world.run()
    assert heard != [1, 0]


@right("what one step makes ready runs in the order in which it became ready")
async def two_signals_of_one_step(world):
    await _in_order(world, [(0, 1)])


@right("the first waiter was ready a turn before the second")
async def two_signals_of_two_steps(world):
    await _in_order(world, [(0,), (1,)])


@broken("the two signals come in either order")
async def two_signals_of_two_users(world):
    await _in_order(world, [(0,)], [(1,)])


async def _two_notes(world, *, of_one_step):
    near, seen = {"x": 0, "y": 0}, []

    async def note(key):
        near[key] = 1

    async def write():
        if of_one_step:
            await asyncio.gather(note("x"), note("y"))
        else:
            await asyncio.create_task(note("x"))
            await asyncio.create_task(note("y"))

    async def read():
        seen.append((near["x"], near["y"]))

    world.actor("a", write)
    world.actor("b", read)
    await world.run()
    assert seen[0] != (1, 0)


@right("both tasks of one gather run in the same turn")
async def two_tasks_of_one_step(world):
    await _two_notes(world, of_one_step=True)


@broken("the second task starts a turn after the first has ended")
async def two_tasks_of_two_steps(world):
    await _two_notes(world, of_one_step=False)


async def _seen_by_a_blocking_call(world, *, is_sent_before):
    blocking = world.existing_cache.client(decode_responses=True)
    far, event, seen = world.existing_cache.aclient(), asyncio.Event(), []

    async def look():
        if not event.is_set():
            await event.wait()
            seen.append(blocking.get("k"))

    async def tell():
        if is_sent_before:
            await far.set("k", "1")
            event.set()
        else:
            event.set()
            await far.set("k", "1")

    world.actor("a", look)
    world.actor("b", tell)
    await world.run()
    assert seen in ([], ["1"]) if is_sent_before else seen in ([], [None])


@broken("the server executes the command before the waiter's call, though the answer comes later")
async def an_effect_before_the_waiter_goes_on(world):
    await _seen_by_a_blocking_call(world, is_sent_before=False)


@right("the signal comes after the answer")
async def an_effect_before_the_signal(world):
    await _seen_by_a_blocking_call(world, is_sent_before=True)


async def _told_by_an_effect(world, *, is_told):
    far, event, log = world.existing_cache.aclient(), asyncio.Event(), []

    async def hear():
        if not event.is_set():
            await event.wait()
            log.append("heard")

    async def tell():
        await far.get("q")
        event.set()
        await far.set("k", "1")

    async def read():
        len(log)
        if await far.get("k") or not is_told:
            log.append("read")

    for name, flow in (("a", hear), ("b", tell), ("c", read)):
        world.actor(name, flow)
    await world.run()
    assert log != ["read", "heard"]


@right("what the reader finds was sent with the signal, so its answer takes two turns")
async def an_answer_that_tells_of_the_signal(world):
    await _told_by_an_effect(world, is_told=True)


@broken("the answer may be older than the signal")
async def an_answer_that_tells_nothing(world):
    await _told_by_an_effect(world, is_told=False)


async def _between_two_starts(world, first_line, *, looks):
    near, noted, tasks, seen = {"x": 0}, {"a": 0, "b": 0}, [], []

    async def note(name, *, if_written):
        noted[name] = near["x"] if if_written else 1

    async def write():
        tasks.append(asyncio.create_task(note("a", if_written=False)))
        near["x"] = 1

    async def look():
        tasks.append(asyncio.create_task(note("b", if_written=looks)))

    async def read():
        await first_line()
        seen.append((noted["b"], noted["a"]))

    for name, flow in (("a", write), ("b", look), ("c", read)):
        world.actor(name, flow)
    await world.run()
    assert seen != [(1, 0)]


async def _nothing():
    pass


@right("the task that saw x ran after the first one or in its turn, so nothing began between them")
async def begun_after_a_task_that_had_to_be_later(world):
    await _between_two_starts(world, _nothing, looks=True)


@broken("the second task may be a turn older than the first")
async def begun_after_a_task_that_may_be_earlier(world):
    await _between_two_starts(world, _nothing, looks=False)


@right("the task that saw x ran after the first one or in its turn, so no answer came between them")
async def answered_after_a_task_that_had_to_be_later(world):
    far = world.existing_cache.aclient()
    await _between_two_starts(world, lambda: far.get("k"), looks=True)


@broken("the second task may be a turn older than the first")
async def answered_after_a_task_that_may_be_earlier(world):
    far = world.existing_cache.aclient()
    await _between_two_starts(world, lambda: far.get("k"), looks=False)


async def _by_timer(world, *, of_one_timer):
    events, heard = [asyncio.Event(), asyncio.Event()], []

    async def hear(number):
        await events[number].wait()
        heard.append(number)

    def fire():
        for event in events:
            event.set()

    async def start():
        tasks = [asyncio.create_task(hear(number)) for number in range(2)]
        loop = asyncio.get_running_loop()
        if of_one_timer:
            loop.call_later(0.01, fire)
        else:
            for event in reversed(events):
                loop.call_later(0.01, event.set)
        await asyncio.gather(*tasks)

    world.actor("a", start)
    await world.run()
    assert heard == [0, 1]


@right("what one timer makes ready runs in its order")
async def two_signals_of_one_timer(world):
    await _by_timer(world, of_one_timer=True)


@broken("timers of one time come in any order")
async def two_signals_of_two_timers(world):
    await _by_timer(world, of_one_timer=False)


async def _cancelled_after_a_signal(world, *, signals_first):
    far, event, log = world.existing_cache.aclient(), asyncio.Event(), []

    async def hear():
        await event.wait()
        log.append("heard")

    async def work():
        try:
            await far.get("k")
        except asyncio.CancelledError:
            log.append("cancelled")

    async def flow():
        hearing, working = asyncio.create_task(hear()), asyncio.create_task(work())
        await far.get("x")
        if signals_first:
            event.set()
            working.cancel()
        else:
            working.cancel()
            event.set()
        await asyncio.gather(hearing, working)

    world.actor("a", flow)
    await world.run()
    assert log != ["cancelled", "heard"]


@right("the waiter was ready before the cancelled task")
async def cancelled_after_a_signal(world):
    await _cancelled_after_a_signal(world, signals_first=True)


@broken("the cancelled task was ready before the waiter")
async def cancelled_before_a_signal(world):
    await _cancelled_after_a_signal(world, signals_first=False)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
