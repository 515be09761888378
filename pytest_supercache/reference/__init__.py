"""Three example systems to learn from and to compare with: the conflict, its workaround, its fix.

Each is the existing look-aside cache (Redis, delete on write) with the super cache in front of it,
written as a team would write it. None of them knows of schedules.
"""

from pytest_supercache.declare.registry import system
from pytest_supercache.layers.stack import NodeLayers
from pytest_supercache.reference.fixed import FixedShop
from pytest_supercache.reference.naive import NaiveShop
from pytest_supercache.reference.workaround import WorkaroundShop

__all__ = ["FixedShop", "NaiveShop", "WorkaroundShop"]


@system("reference.naive")
def naive(layers: NodeLayers) -> NaiveShop:
    """Make the naive shop: look-aside cache, super cache in front, delete on write."""
    return NaiveShop(layers)


@system("reference.workaround")
def workaround(layers: NodeLayers) -> WorkaroundShop:
    """Make the same shop with a second delete some time later."""
    return WorkaroundShop(layers)


@system("reference.fixed")
def fixed(layers: NodeLayers) -> FixedShop:
    """Make the same shop with leases: a fill that an invalidation has overtaken is discarded."""
    return FixedShop(layers)
