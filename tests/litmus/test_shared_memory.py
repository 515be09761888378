"""Where memory is treated as shared, entry code and the arrival of an answer are steps."""

from pytest_supercache import Verdict, check


def test_in_shared_memory_the_first_lines_are_a_move_of_their_own():
    def body(world):
        box = {"x": "1"}
        cache = world.existing_cache.client()

        def alice():
            value = box["x"]
            cache.set("k", value)

        def bob():
            cache.get("z")
            box["x"] = "2"
            cache.set("k", "2")

        world.actor("alice", alice)
        world.actor("bob", bob)
        world.run()
        assert world.existing_cache.peek("k") == box["x"]

    assert check(body, memory="shared").verdict is Verdict.VIOLATED


def test_in_shared_memory_an_error_is_an_answer_that_parts():
    def body(world):
        cache = world.existing_cache.client()
        cache.set("text", "x")
        seen = []

        def alice():
            try:
                cache.incr("text")
            except Exception:  # noqa: BLE001 - what the test is about
                seen.append("alice")

        def bob():
            cache.get("k")
            seen.append("bob")
            cache.get("k")

        world.actor("alice", alice)
        world.actor("bob", bob)
        world.run()
        first = next(s.actor for s in world.stepping.record.steps if s.label.startswith("INCR"))
        assert first != "alice" or seen[0] == "alice" or cache.get("k") is not None

    assert check(body, memory="shared").verdict is Verdict.VIOLATED
