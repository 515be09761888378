"""What is true: products with their prices and stock, and the orders."""

from sqlalchemy import create_engine, func, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker


class Base(DeclarativeBase):
    """The tables."""


class Product(Base):
    """Something for sale."""

    __tablename__ = "products"
    name: Mapped[str] = mapped_column(primary_key=True)
    price: Mapped[int]
    stock: Mapped[int] = mapped_column(default=1)


class Order(Base):
    """One piece that was sold."""

    __tablename__ = "orders"
    number: Mapped[int] = mapped_column(primary_key=True)
    product: Mapped[str]


class Database:
    """Every method is one transaction; they block, so they belong on a thread."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        self._sessions = sessionmaker(self._engine)
        Base.metadata.create_all(self._engine)

    def empty(self) -> None:
        """Forget every product and order."""
        Base.metadata.drop_all(self._engine)
        Base.metadata.create_all(self._engine)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def price(self, product: str) -> int | None:
        """Return the price, if there is such a product."""
        with self._sessions() as session:
            found = session.get(Product, product)
            return None if found is None else found.price

    def set_price(self, product: str, price: int) -> None:
        """Change the price, or add the product."""
        with self._sessions.begin() as session:
            session.merge(Product(name=product, price=price))

    def order_after_a_look(self, product: str) -> bool:
        """Look whether there is one left, and sell it; False when there is none."""
        with self._sessions.begin() as session:
            found = session.get(Product, product)
            if found is None or found.stock < 1:
                return False
            found.stock -= 1
            session.add(Order(product=product))
            return True

    def order_if_there(self, product: str) -> bool:
        """Sell one, looking and taking at once; False when there is none."""
        one_less = update(Product).values(stock=Product.stock - 1)
        with self._sessions.begin() as session:
            taken = session.execute(one_less.where(Product.name == product, Product.stock > 0))
            if not taken.rowcount:
                return False
            session.add(Order(product=product))
            return True

    def orders(self, product: str) -> int:
        """Count what was sold."""
        with self._sessions() as session:
            found = select(func.count()).where(Order.product == product)
            return session.scalar(found) or 0
