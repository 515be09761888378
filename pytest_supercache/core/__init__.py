"""The vocabulary: frozen values and the one protocol that every other room speaks in."""
