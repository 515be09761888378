"""Classes of dates and times that have a metaclass, while time is virtual."""

from tests.plugin.conftest import Project
from tests.plugin.projects import one_reader

DATES = """
import datetime

class Meta(type):
    pass

class Other(metaclass=type("OtherMeta", (type,), {})):
    pass

class Early(datetime.date, metaclass=Meta):
    pass

@sc.system("early")
def early(layers):
    assert Early(2026, 1, 2).year == 2026
    return layers.origin

@sc.system("late")
def late(layers):
    class Late(datetime.datetime, metaclass=Meta):
        pass
    assert type(Late) is Meta
    return layers.origin

@sc.system("other")
def other(layers):
    class Neither(Other, metaclass=Meta):
        pass
    return layers.origin
"""


def test_a_class_of_dates_with_a_metaclass_may_be_made_while_a_check_runs(project: Project) -> None:
    project.add_to_conftest(DATES)
    for name in ("early", "late", "other"):
        project.scenario(one_reader(name, name), name)
    result = project.run()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["system 'other' could not be built*metaclass conflict*"])
