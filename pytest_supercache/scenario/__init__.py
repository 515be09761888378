"""Reads scenario files: from the text that a tester wrote to a checked, frozen `Scenario`.

Every mistake is told with its line and column. The tables of the grammar also make the JSON Schema
and the reference. What a scenario does when it runs is not known here; that is ``play``.
"""
