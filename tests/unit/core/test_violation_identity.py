"""When two violations are the same failure: what a replay is compared by."""

from pathlib import Path
from tempfile import mkdtemp

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.core.folders import temporary_folder
from pytest_supercache.core.verdict import Violation, described


def violation(summary="alice wrote x and read y", **about):
    return Violation(guarantee="answers", summary=summary, **about).identity


def test_the_evidence_may_differ():
    assert violation(evidence={"at": 1}) == violation(evidence={"at": 2})


@pytest.mark.parametrize("about", [{"key": "x"}, {"user": "bob"}, {"summary": "another sentence"}])
def test_key_user_and_sentence_may_not(about):
    assert violation(**about) != violation()


def test_what_follows_an_address_may_differ():
    """A set of objects without an order of their own is written in the order of addresses."""
    for one, other in (
        ("{<Shown at 0x7f01>, <Other at 0x7f02>}", "{<Other at 0x7f04>, <Shown at 0x...>}"),
        ("{<Task finished name='a'>, <Task>}", "{<Task pending>, <Task finished name='a'>}"),
        ("<function f at 0x1>({1, 2})", "<function f at 0x...>({2, 1})"),
    ):
        assert violation(f"took {one}") == violation(f"took {other}")
        assert violation(f"took {one}") != violation(f"read {other}")
    assert violation("took <Color.RED: 1>") != violation("took <Color.BLUE: 2>")


def test_names_of_temporary_files_may_differ_also_where_they_hold_what_looks_like_an_address():
    folder = temporary_folder()
    assert violation(f"no '{folder}/tmpb3gnhrm3/x'") == violation(f"no '{folder}/tmpwt0x4fm4/x'")
    assert violation(f"no '{folder}/tmpb3gnhrm3/x'") != violation(f"no '{folder}/tmpwt0x4fm4/y'")
    error = FileNotFoundError(f"{folder}/tmpwt0x4fm4/x of <A at 0x7f01>")
    assert described(error) == f"FileNotFoundError: {folder}/tmpwt0x4fm4/x of <A at 0x...>"


@pytest.mark.parametrize(
    ("prefix", "executed"), [(None, 1), ("shop-", 6)], ids=["random", "a name of the code's own"]
)
def test_answers_that_differ_by_the_random_name_of_a_file_are_alike(prefix, executed):
    """A name of another form counts: it may say something."""

    def body(world):
        client = world.existing_cache.client()

        def read():
            client.get("k")
            client.get("k")
            folder = mkdtemp(prefix=prefix)
            Path(folder).rmdir()
            return folder

        world.actor("a", read)
        world.actor("b", read)
        world.run()

    result = check(body, memory="declared")
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert result.executions == executed, result.notes


class Shown:
    """An object whose text has its address."""


def test_a_failed_assert_about_an_object_that_every_run_makes_anew_still_replays():
    kept = []

    def body(world):
        kept.append(Shown())  # never freed, so that no address comes back
        world.actor("a", world.step, "work", ())
        world.run()
        assert kept[-1] is None

    result = check(body, search="all-schedules")
    assert result.verdict is Verdict.VIOLATED, result.reasons
    assert result.counterexample.replays == "10/10"
