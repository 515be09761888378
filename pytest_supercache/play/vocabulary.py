"""Lists the names that every scenario file may use: guarantees, parameters, classes.

The grammar does not know them, because they belong to the oracle. Names that a project registers
are added to these.
"""

from functools import cache

from pytest_supercache.oracle.catalogue import CATALOGUE, FAMILIES
from pytest_supercache.oracle.guarantee import Unit
from pytest_supercache.oracle.judge import NAMED
from pytest_supercache.scenario.grammar import Field, Kind, Vocabulary

_KINDS = {Unit.SECONDS: Kind.DURATION, Unit.COUNT: Kind.COUNT, Unit.KEY: Kind.TEXT}


@cache
def built_in_words() -> Vocabulary:
    """Return the words that need no conftest: no verbs, and any name of a system."""
    families = {
        family: f"One of {', '.join(k.slug for k in CATALOGUE.values() if k.family == family)}"
        for family in sorted(FAMILIES)
    }
    return Vocabulary(
        guarantees={
            name: {
                parameter.name: Field(
                    kind=_KINDS[parameter.unit],
                    description=parameter.description,
                    is_required=parameter.is_required,
                )
                for parameter in guarantee.parameters
            }
            for name, guarantee in NAMED.items()
        },
        classes={**families, **{known.slug: known.title for known in CATALOGUE.values()}},
    )
