"""What a new user and a reviewer met in scenario files."""

from tests.plugin.conftest import Project

NEAR = """
_cache = {}

class Near:
    def __init__(self, db):
        self.db = db
    def get(self, key):
        if key not in _cache:
            _cache[key] = self.db.get(key)
        return _cache[key]
    def set(self, key, value):
        self.db.set(key, value)
        _cache.pop(key, None)

@sc.system("near")
def near(layers):
    return Near(layers.origin)

class Plain:
    def __init__(self, db):
        self.db = db
    def get(self, key):
        return self.db.get(key)
    def set(self, key, value):
        self.db.set(key, value)

@sc.system("plain")
def plain(layers):
    return Plain(layers.origin)
"""

RACE = """scenario: text
id: {id}
system: {system}
given: {{origin: {{k: 5}}}}
users:
  a: [{{read: k}}]
  b: [{{write: {{key: k, value: 6}}}}]
"""


def test_module_state_that_a_write_deletes_is_found_too(project: Project) -> None:
    project.add_to_conftest(NEAR)
    project.scenario(RACE.format(id="A", system="near"))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*conftest:_cache*"])


def test_a_write_in_finally_is_the_truth_that_nodes_are_asked_about(project: Project) -> None:
    project.add_to_conftest(NEAR)
    text = RACE.format(id="A", system="plain")
    project.scenario(text + "finally: [{write: {key: k, value: 4}}, {read: k, expect: 4}]\n")
    project.run().assert_outcomes(passed=1)


def test_two_files_with_one_id_are_an_error_that_names_both(project: Project) -> None:
    project.add_to_conftest(NEAR)
    project.scenario(RACE.format(id="A", system="plain"), "one")
    project.scenario(RACE.format(id="A", system="plain"), "two")
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*two.supercache.yaml:2:5: the id 'A' is taken by *one.supercache*"]
    )


def test_holds_says_within_which_bounds(project: Project) -> None:
    project.add_to_conftest(NEAR)
    project.scenario(RACE.format(id="A", system="plain"))
    result = project.run()
    result.stdout.fnmatch_lines(["A: HOLDS", "*each of all 2 schedules was executed (2 users*"])
