"""What is made over a stream in memory writes to that: another stream, a pickler, a zip file."""

import codecs
import csv
import io
import pickle
import threading
import zipfile
from contextlib import nullcontext
from email.generator import Generator
from email.message import Message
from xml.etree.ElementTree import Element, ElementTree, XMLPullParser
from xml.sax.saxutils import XMLGenerator

import pytest

from tests.soundness.truth import broken, right, systems_of


def _written(stream, text):
    stream.write(text)
    stream.flush()


def _itself(stream):
    return stream


CASES = {
    "a_text": (io.BytesIO, lambda b: io.TextIOWrapper(b, write_through=True), _written),
    "a_text_flushed": (io.BytesIO, io.TextIOWrapper, _written),
    "a_buffer": (io.BytesIO, io.BufferedWriter, lambda w, text: _written(w, text.encode())),
    "an_encoder": (io.BytesIO, codecs.getwriter("utf8"), lambda w, text: w.write(text)),
    "a_pickler": (io.BytesIO, pickle.Pickler, lambda p, text: p.dump(text)),
    "a_zip": (io.BytesIO, lambda b: zipfile.ZipFile(b, "w"), lambda z, text: z.writestr(text, "")),
    "a_table": (io.StringIO, csv.writer, lambda w, text: w.writerows([[text]])),
    "a_tree": (io.BytesIO, _itself, lambda w, text: ElementTree(Element(text)).write(w)),
    "a_mail": (io.StringIO, Generator, lambda w, _: w.flatten(Message())),
    "a_document": (io.StringIO, XMLGenerator, lambda w, text: w.characters(text)),
}


def _written_in_two_parts(world, make, over, write, guard):
    stream = make()
    writer = over(stream)

    def publish():
        with guard:
            write(writer, "net")
            write(writer, "tax")

    def read():
        with guard:
            return len(stream.getvalue())

    world.actor("writer", publish)
    world.actor("reader", read)
    assert world.run()["reader"] in {0, len(stream.getvalue())}


def _state(name, case):
    def body(world):
        _written_in_two_parts(world, *case, nullcontext())

    def body_with_a_lock(world):
        _written_in_two_parts(world, *case, threading.Lock())

    body.__name__, body_with_a_lock.__name__ = name, f"{name}_under_a_lock"
    broken("the reader sees the first part without the second one")(body)
    right("they hold one lock")(body_with_a_lock)


for _name, _case in CASES.items():
    _state(_name, _case)


@right("each writes to a stream of its own")
def two_streams(world):
    def write():
        stream = io.BytesIO()
        text = io.TextIOWrapper(stream)
        _written(text, "net")
        _written(text, "tax")
        return stream.getvalue()

    world.actor("one", write)
    world.actor("two", write)
    assert set(world.run().values()) == {b"nettax"}


@right("the parser has read nothing, or all that there is")
def a_parser_with_holes_in_a_list(world):
    parser = XMLPullParser(["end"])
    world.actor("feeds", parser.feed, "<price/>")
    world.actor("reads", lambda: len(list(parser.read_events())))
    assert world.run()["reads"] in {0, 1}


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
