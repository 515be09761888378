"""Names layers the way people do: ``the super cache of node a``, ``super cache @a`` over a lane.

Names that are no words, such as those of memory in the code under test, stay as they are.
"""

LAYERS = ("existing_cache", "super_cache", "origin")


def place_in_words(place: str | None) -> str:
    """Return the name of a place inside of a sentence."""
    if place is None:
        return "a layer"
    layer, _, node = place.partition("@")
    name = layer if _is_of_code(place) else f"the {_words(layer)}"
    return f"{name} of node {node}" if node else name


def place_title(place: str) -> str:
    """Return the name of a place over a lane or a column: ``super cache @a``."""
    layer, _, node = place.partition("@")
    name = layer if _is_of_code(place) else _words(layer)
    return f"{name} @{node}" if node else name


def _is_of_code(place: str) -> bool:
    layer, at, _ = place.partition("@")
    return "." in layer or "<" in layer or (not at and layer not in LAYERS)


def _words(layer: str) -> str:
    return layer.replace("_", " ")
