"""Decides whether a release may go, from the rows of ``verdict.json`` alone, by pure functions.

Known issues, the lock of scenarios and the freshness of a verdict have a module each. The package
imports neither pytest nor click: the plugin and the command line call it.
"""
