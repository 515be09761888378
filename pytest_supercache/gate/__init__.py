"""May this release go: decided from the rows of ``verdict.json`` alone, by pure functions."""
