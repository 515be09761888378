"""`supercache fmt` moves lines and changes nothing that they say."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_supercache.scenario.layout import formatted
from pytest_supercache.scenario.nodes import compose, decode, plain
from pytest_supercache.scenario.problems import ScenarioProblems
from tests.selection import either

UNTIDY = """\


# a story
scenario: A title   
id: X
system: shop
users:
    # about alice
    alice:
    -   read: k # why
        as: shown


    # last of alice
    -    write:
            key: k
            value: |
              text
                more   
    bob:
        node: b   # where
        steps:
            - read: {a: 1,
               b: 2 #c
              }
            -
              delete: k
cases:
  x:
  - - a
    -   b: 1
        c: "two
           lines"
  # end


"""  # noqa: W291
TIDY = """\
# a story
scenario: A title
id: X
system: shop
users:
  # about alice
  alice:
    - read: k  # why
      as: shown

    # last of alice
    - write:
        key: k
        value: |
          text
            more   
  bob:
    node: b   # where
    steps:
      - read: {a: 1,
         b: 2  #c
        }
      -
        delete: k
cases:
  x:
    - - a
      - b: 1
        c: "two
           lines"
    # end
"""  # noqa: W291


def test_an_untidy_file_is_made_tidy():
    assert formatted("x", UNTIDY) == TIDY


def test_a_tidy_file_stays_as_it_is(good):
    assert formatted("x", TIDY) == TIDY
    assert formatted("x", good) == good


def test_windows_line_ends_and_a_byte_order_mark_go_away(good):
    assert formatted("x", b"\xef\xbb\xbf" + good.replace("\n", "\r\n").encode()) == good


def test_what_is_not_yaml_is_a_problem_with_its_place():
    with pytest.raises(ScenarioProblems, match="x:1:5: not valid YAML"):
        formatted("x", "a: [")


SCALARS = st.sampled_from(
    (
        *("k", "'a b'", '"x: y"', "12", "~", "[a, b]", "{a: 1, b: [2]}", "&n v"),
        *("'two\n\n  lines'", "plain\n  goes on", "|+\n  kept\n\n"),
        *("|\n  text\n    more\n\n  end", ">-\n  folded\n  text"),
    )
)


def written(node, indent, chance):
    """Write a tree of lists and mappings as people do: any indentation, comments, blank lines."""
    if isinstance(node, str):
        first, *rest = node.split("\n")
        pad = " " * (indent + chance.randint(0, 3))
        return [f" {first}", *(pad + line if line else "" for line in rest)]
    lines = [""]
    pad = " " * indent
    for number, entry in enumerate(node[1]):
        if chance.random() < 0.2:
            lines.append(chance.choice(["", "", pad + "# note", "# far left", pad + "   # right"]))
        value, head = (entry, "-") if node[0] == "list" else (entry, f"k{number}:")
        inner = written(value, indent + chance.randint(1, 4), chance)
        if node[0] == "list" and isinstance(value, tuple) and chance.random() < 0.7:
            gap = chance.randint(1, 3)
            inner = written(value, indent + 1 + gap, chance)
            body = [line for line in inner[1:] if line.strip() and "#" not in line]
            lines += [f"{pad}-{' ' * gap}{body[0].lstrip()}", *body[1:]] if body else [f"{pad}- x"]
            continue
        is_simple = len(inner) == 1 and inner[0].strip() and "\n" not in inner[0]
        comment = chance.choice(["", "", " # c", "   # c", "  "]) if is_simple else ""
        lines += [f"{pad}{head}{inner[0]}{comment}", *inner[1:]]
    return lines


TREES = st.recursive(
    SCALARS,
    lambda inner: st.tuples(
        st.sampled_from(["list", "mapping"]), st.lists(inner, min_size=1, max_size=4)
    ),
    max_leaves=14,
)


def comments(text):
    return sorted(line.partition("#")[2] for line in text.splitlines() if "#" in line)


@settings(max_examples=either(100, 300), deadline=None, derandomize=True)
@given(
    tree=st.tuples(st.just("mapping"), st.lists(TREES, min_size=1, max_size=4)), seed=st.integers()
)
def test_the_layout_changes_no_meaning_and_is_reached_at_once(tree, seed):
    text = "\n".join(written(tree, 0, random.Random(seed))) + "\n"
    try:
        before = plain(compose(*decode("x", text)))
    except ScenarioProblems:
        return
    once = formatted("x", text)
    assert plain(compose(*decode("x", once))) == before
    assert comments(once) == comments(text)
    assert formatted("x", once) == once


def test_every_break_of_the_good_file_that_is_yaml_keeps_its_meaning(good):
    """Indentation of every single line is made another one, by one blank or two."""
    for row, line in enumerate(good.splitlines()):
        for pad in (" ", "  "):
            lines = good.splitlines()
            lines[row] = pad + line
            text = "\n".join(lines) + "\n"
            try:
                once = formatted("x", text)
            except ScenarioProblems:
                continue
            assert plain(compose(*decode("x", once))) == plain(compose(*decode("x", text)))
            assert formatted("x", once) == once
