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
    return layers.origin

@sc.system("other")
def other(layers):
    class Neither(Other, metaclass=Meta):
        pass
    return layers.origin
"""


def test_a_class_of_dates_with_a_metaclass_must_be_made_before_the_check(project: Project) -> None:
    project.add_to_conftest(DATES)
    for name in ("early", "late", "other"):
        project.scenario(one_reader(name, name), name)
    result = project.run()
    result.assert_outcomes(passed=1, failed=2)
    told = {
        name: next(line for line in result.outlines if line.startswith(f"system {name!r}"))
        for name in ("late", "other")
    }
    assert all("TypeError: metaclass conflict" in line for line in told.values())
    assert "Let Late be made before the check" in told["late"]
    assert "before the check" not in told["other"]
