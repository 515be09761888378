"""Which schedule next: every search is a small loop around ``attempt``."""
