"""Pure functions from a finished result to what people and machines read."""
