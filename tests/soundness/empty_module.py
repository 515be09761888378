"""A module on which users set an attribute that it lacks."""
