"""Three systems to learn from and to compare with: the conflict, its usual workaround, its fix.

Each is the existing look-aside cache (Redis, delete on write) with the super cache in front of it,
written as a team would write it. Nothing in them knows of schedules.
"""

from pytest_supercache.declare.registry import system
from pytest_supercache.layers.stack import NodeLayers
from pytest_supercache.reference.fixed import FixedShop
from pytest_supercache.reference.naive import NaiveShop
from pytest_supercache.reference.workaround import WorkaroundShop

__all__ = ["FixedShop", "NaiveShop", "WorkaroundShop"]


@system("reference.naive")
def naive(layers: NodeLayers) -> NaiveShop:
    """Look-aside cache, super cache in front, delete on write."""
    return NaiveShop(layers)


@system("reference.workaround")
def workaround(layers: NodeLayers) -> WorkaroundShop:
    """The same with a second delete some time later."""
    return WorkaroundShop(layers)


@system("reference.fixed")
def fixed(layers: NodeLayers) -> FixedShop:
    """The same with leases: a fill that an invalidation has overtaken is thrown away."""
    return FixedShop(layers)
