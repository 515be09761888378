"""Scenario files: from the text a tester wrote to a checked, frozen `Scenario`."""
