"""Reads scenario files: from the text that a tester wrote to a checked, frozen `Scenario`.

Every mistake is reported with its line and column. The tables of the grammar also make the JSON
Schema and the reference. This package does not know what a scenario does when it runs; that is
``play``.
"""
