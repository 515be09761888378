"""Small applications as users have them, each with a race between a fill and an invalidation."""

FLASK = """
import json
import sqlite3

import redis
from flask import Flask, request

DATABASE = "shop.db"
cache = redis.Redis()
app = Flask(__name__)

with sqlite3.connect(DATABASE) as db:
    db.execute("CREATE TABLE IF NOT EXISTS product (id INTEGER PRIMARY KEY, price INTEGER)")

@app.get("/products/<int:product>")
def page(product):
    found = cache.get(f"product:{product}")
    if found is None:
        with sqlite3.connect(DATABASE) as db:
            row = db.execute("SELECT price FROM product WHERE id = ?", (product,)).fetchone()
        found = json.dumps({"id": product, "price": row[0]})
        cache.set(f"product:{product}", found)
    return json.loads(found)

@app.put("/products/<int:product>")
def change(product):
    price = request.get_json()["price"]
    with sqlite3.connect(DATABASE) as db:
        db.execute("INSERT OR REPLACE INTO product VALUES (?, ?)", (product, price))
    cache.delete(f"product:{product}")
    return {}
"""

FASTAPI = """
import redis.asyncio
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

engine = create_engine("sqlite:///shop.db", connect_args={"check_same_thread": False})
SessionLocal = sessionmaker(bind=engine)
cache = redis.asyncio.Redis(decode_responses=True)

class Base(DeclarativeBase):
    pass

class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]

class Change(BaseModel):
    price: int
    reason: str

def create_app():
    app = FastAPI()

    @app.get("/products/{product_id}")
    async def page(product_id: int):
        found = await cache.get(f"product:{product_id}")
        if found is None:
            with SessionLocal() as db:
                found = db.get(Product, product_id).price
            await cache.set(f"product:{product_id}", found)
        return {"price": int(found)}

    @app.put("/products/{product_id}/price")
    async def change(product_id: int, change: Change):
        with SessionLocal() as db:
            db.merge(Product(id=product_id, price=change.price))
            db.commit()
        await cache.delete(f"product:{product_id}")

    return app
"""

DJANGO = {
    "manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")',
    "site_settings.py": """
SECRET_KEY = "of a test"
INSTALLED_APPS = ["shop"]
ROOT_URLCONF = "shop.urls"
ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}}
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from django.core.cache import cache
from django.db import models

class Product(models.Model):
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=8, decimal_places=2)

    def save(self, *args, **kwargs):
        super().save(*args, **kwargs)
        cache.delete(f"price:{self.pk}")
""",
    "shop/urls.py": """
from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path

from shop.models import Product

def page(request, pk):
    price = cache.get(f"price:{pk}")
    if price is None:
        price = get_object_or_404(Product, pk=pk).price
        cache.set(f"price:{pk}", price)
    return HttpResponse(f"<p>{price} EUR</p>")

urlpatterns = [path("products/<int:pk>/", page)]
""",
}

FILES = {"flask": {"app.py": FLASK}, "fastapi": {"shop/main.py": FASTAPI}, "django": DJANGO}
"""The files of an application on each framework."""

STORES = {
    "flask": '        cache.set(f"product:{product}", found)\n',
    "fastapi": '            await cache.set(f"product:{product_id}", found)\n',
    "django": '        cache.set(f"price:{pk}", price)\n',
}
"""The line without which nothing is cached, so that nothing can be stale."""
