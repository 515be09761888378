"""A small shop: Django, SQLite, and a local-memory cache in front of django-redis."""
