"""What the getters of `operator` touch: code of C that gets attributes and items by their names."""

from typing import Any

from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import PLAIN
from pytest_supercache.runtime.memory.hooks import load_attribute
from pytest_supercache.runtime.memory.items import touch_item


def items_got(accesses: Accesses, getter: Any, arguments: tuple[Any, ...]) -> None:
    """Touch what an ``itemgetter`` gets."""
    if arguments and type(arguments[0]) not in PLAIN:
        for key in getter.__reduce__()[1]:
            touch_item(accesses, arguments[0], key, "__getitem__", writes=False)


def attributes_got(_accesses: Accesses, getter: Any, arguments: tuple[Any, ...]) -> Any:
    """Return a stand-in for an ``attrgetter``: of ``a.b`` the first part says whose ``b`` it is."""
    if len(arguments) != 1 or type(arguments[0]) in PLAIN:
        return None
    names = getter.__reduce__()[1]

    def stand_in(holder: Any) -> Any:
        found = tuple(_attribute(holder, name.split(".")) for name in names)
        return found if len(found) > 1 else found[0]

    return stand_in


def _attribute(holder: Any, parts: list[str]) -> Any:
    for part in parts:
        load_attribute(holder, part)
        holder = getattr(holder, part)
    return holder
