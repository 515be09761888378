"""The words that scenario files of a project may use: built-in words, and its verbs and systems."""

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from pytest_supercache.declare.registry import REGISTRY

if TYPE_CHECKING:
    from pytest_supercache.scenario.grammar import Vocabulary


def vocabulary() -> "Vocabulary":
    """Return the words that scenario files of this project may use."""
    from pytest_supercache.play.vocabulary import built_in_words
    from pytest_supercache.scenario.signatures import signature_of

    import_module("pytest_supercache.reference")  # which registers its systems
    verbs = {name: signature_of(verb.function) for name, verb in REGISTRY.verbs.items()}
    return replace(built_in_words(), systems=tuple(REGISTRY.systems), verbs=verbs)
