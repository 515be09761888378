"""The body of a check sees the context variables of its caller; its users see what threads see."""

import contextvars
import decimal
import threading

from pytest_supercache import Verdict, check

TENANT = contextvars.ContextVar("tenant", default="nobody")


def verdict(body):
    return check(body, search="exhaustive", guarantees=[]).verdict


def reads(world, seen):
    """Let two users write the tenant that they see."""
    for name in ("alice", "bob"):
        world.actor(name, lambda: world.origin.set("k", seen.append(TENANT.get())))


def hand_context_on(monkeypatch):
    """Replace ``Thread.start``, as pytest-check and tracers do."""
    start = threading.Thread.start

    def start_with_context(thread):
        run, context = thread.run, contextvars.copy_context()
        thread.run = lambda: context.run(run)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_with_context)


def test_the_body_sees_what_its_caller_has_set():
    def body(world):
        assert TENANT.get() == "caller"
        TENANT.set("body")
        reads(world, [])
        world.run()

    def called():
        TENANT.set("caller")
        answer = verdict(body)
        return answer, TENANT.get()

    assert contextvars.copy_context().run(called) == (Verdict.HOLDS, "caller")


def test_each_execution_begins_with_the_decimal_context_of_the_caller():
    def body(world):
        decimal.getcontext().prec += 1
        reads(world, [])
        world.run()
        assert decimal.getcontext().prec == 6

    with decimal.localcontext() as caller:
        caller.prec = 5
        assert verdict(body) is Verdict.HOLDS
        assert caller.prec == 5


def test_a_user_on_a_thread_sees_none_of_it():
    def body(world):
        TENANT.set("body")
        reads(world, seen := [])
        world.run()
        assert seen == ["nobody", "nobody"]

    assert verdict(body) is Verdict.HOLDS


def test_a_user_sees_what_a_tool_hands_to_threads(monkeypatch):
    hand_context_on(monkeypatch)

    def body(world):
        TENANT.set("body")
        reads(world, seen := [])
        world.run()
        assert seen == ["body", "body"]
        assert TENANT.get() == "body"

    assert verdict(body) is Verdict.HOLDS


def test_a_user_sees_none_of_it_where_a_tool_hands_nothing_on(monkeypatch):
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: start(thread))

    def body(world):
        TENANT.set("body")
        reads(world, seen := [])
        world.run()
        assert seen == ["nobody", "nobody"]

    assert verdict(body) is Verdict.HOLDS


def test_what_a_user_sets_is_not_seen_by_another_one(monkeypatch):
    hand_context_on(monkeypatch)

    def body(world):
        seen = []

        def visit(name):
            TENANT.set(name)
            world.origin.set("k", name)
            seen.append(TENANT.get() == name)

        for name in ("alice", "bob"):
            world.actor(name, visit, name)
        world.run()
        assert seen == [True, True]
        assert TENANT.get() == "nobody"

    assert verdict(body) is Verdict.HOLDS
