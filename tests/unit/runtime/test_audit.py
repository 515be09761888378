"""One audit hook calls those who have asked for an event, and nobody else."""

import sys

from pytest_supercache.runtime.kernel import audit


def told(event, *listeners):
    """Return what listeners hear when the event happens."""
    heard = []

    def listener(name, arguments):
        heard.append((name, arguments, sys._getframe(2).f_code.co_name))

    for _ in range(listeners[0] if listeners else 1):
        audit.listen([event], listener)
    happen(event)
    happen("supercache.test.another")
    audit._listeners[event].remove(listener)
    return heard


def happen(event):
    sys.audit(event, 1, 2)


def test_an_event_is_told_with_its_arguments_and_the_code_is_two_frames_above():
    assert told("supercache.test") == [("supercache.test", (1, 2), "happen")]


def test_who_has_asked_twice_is_told_once():
    assert told("supercache.test", 2) == [("supercache.test", (1, 2), "happen")]


def test_there_is_one_hook(monkeypatch):
    added = []
    monkeypatch.setattr(sys, "addaudithook", added.append)
    monkeypatch.setattr(audit, "_listeners", {})
    audit.listen(["supercache.test"], print)
    audit.listen(["supercache.test.another"], print)
    assert added == [audit._hear]


def test_a_module_without_globals_as_at_the_end_of_a_process_raises_nothing(monkeypatch):
    monkeypatch.setattr(audit, "_listeners", None)
    audit._hear("supercache.nobody", ())
