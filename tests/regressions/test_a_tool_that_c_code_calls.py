"""A method of a watched primitive may be called by C code: by atexit, or as a thread."""

import _thread
import threading

from pytest_supercache.runtime.aio.loop_tools import noting


class Stream:
    """A primitive with a method that is watched."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        """Close it."""
        self.closed.set()


def test_it_does_what_it_did_when_no_frame_has_called_it() -> None:
    stream = Stream()
    _thread.start_new_thread(noting(Stream.close), (stream,))  # C calls it, as atexit does
    assert stream.closed.wait(60)


def test_it_does_the_same_when_python_calls_it() -> None:
    stream = Stream()
    noting(Stream.close)(stream)
    assert stream.closed.is_set()
