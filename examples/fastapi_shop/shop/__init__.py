"""A small shop: FastAPI, SQLAlchemy, Redis, and a cache in the process in front of Redis."""
