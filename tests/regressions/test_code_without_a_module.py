"""Code that `exec` compiled with globals of its own has no module; a check says what it does."""

from pytest_supercache import Verdict, check


def compiled(source):
    made = {}
    exec(source, {}, made)
    return made["call"]


def result_of(source):
    call = compiled(source)

    def body(world):
        client = world.existing_cache.client()
        world.actor("one", call, client.get)
        world.actor("two", call, client.get)
        world.run()

    return check(body)


def test_an_error_that_it_raises_is_one_of_the_code_under_test():
    result = result_of("def call(get):\n    get('k')\n    raise ValueError('no stock')")
    assert result.verdict is Verdict.VIOLATED
    assert "no stock" in str(result.counterexample.violation)


def test_steps_that_it_takes_can_be_named():
    assert result_of("def call(get):\n    return get('k')").verdict is Verdict.HOLDS
