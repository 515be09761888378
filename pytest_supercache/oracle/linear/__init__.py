"""Decides whether one order of the calls of a recording explains every answer.

``call`` is what a recording consists of, ``recording`` reads one from a file, ``check`` answers.
``zones`` and ``search`` are the two ways to an answer; ``smallest`` reduces a "no" to the calls
that prove it.
"""
