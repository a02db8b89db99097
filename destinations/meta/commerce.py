"""What happened, in Meta's terms: the names of its events and its `custom_data`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from destinations.spec import At, Const, Field, First, Made, Unfit, forms

EVENTS = MappingProxyType(
    {
        "Order Completed": "Purchase",
        "Product Added": "AddToCart",
        "Checkout Started": "InitiateCheckout",
        "Product Viewed": "ViewContent",
        "Product List Viewed": "ViewContent",
        "Products Searched": "Search",
        "Payment Info Entered": "AddPaymentInfo",
        "Product Added to Wishlist": "AddToWishlist",
        "Signed Up": "CompleteRegistration",
        "Trial Started": "StartTrial",
        "Subscription Created": "Subscribe",
        "Lead Generated": "Lead",
        "Callback Started": "Contact",
    }
)
"""Events of Segment's specs to Meta's standard events."""

DELIVERIES = ("in_store", "curbside", "home_delivery")

# analytics-go spells a product's sku `sky`.
_IDS = ("product_id", "sku", "id", "sky")


def name_of(event: Mapping[str, Any], events: Mapping[str, str]) -> str | None:
    """Meta's name of the event; the settings' table wins, and an empty name leaves it out."""
    said = event.get("event")
    if not isinstance(said, str):
        return None
    return events[said] if said in events else EVENTS.get(said, said)


def known(event: Mapping[str, Any], events: Mapping[str, str]) -> bool:
    """Whether one of the two tables names this event."""
    return event.get("event") in events or event.get("event") in EVENTS


def amount(value: Any) -> int | float:
    """A sum of money in major units. Raises Unfit."""
    found = forms.number(value)
    if not -1e15 < found < 1e15:
        raise Unfit("is no sum of money")
    return found


def scalar(value: Any) -> Any:
    """Text, a number or a truth, for what Meta has no name of. Raises Unfit."""
    if isinstance(value, bool | str | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    raise Unfit("is neither text nor a number")


def delivery(value: Any) -> str:
    """How a thing gets to the buyer, as Meta calls it. Raises Unfit."""
    said = forms.text(value).lower()
    if said not in DELIVERIES:
        raise Unfit(f"is none of {', '.join(DELIVERIES)}")
    return said


def _products(event: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The list of products, else the event's own properties as the one product.

    A bare `properties.id` makes no product: on events that are not about one it is anything.
    """
    products = At("properties.products").find(event)
    if isinstance(products, list):
        return [one for one in products if isinstance(one, Mapping)]
    own = _own(event)
    return [own] if own else ()


def _own(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    properties = event.get("properties")
    if not isinstance(properties, Mapping) or "products" in properties:
        return None
    return properties if any(properties.get(key) for key in _IDS if key != "id") else None


def _said(form: Any, value: Any) -> Any:
    """The value in its form, or None where it has none."""
    try:
        return None if value is None else form(value)
    except Unfit:
        return None


def _id(product: Mapping[str, Any]) -> str | None:
    return next((found for key in _IDS if (found := _said(forms.text, product.get(key)))), None)


def _quantity(product: Mapping[str, Any]) -> int | None:
    found = _said(amount, product.get("quantity"))
    return int(found) if found is not None and found == int(found) else None


def contents(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The products that have an id, as Meta describes them."""
    made = []
    for product in _products(event):
        one = {
            "id": _id(product),
            "quantity": _quantity(product),
            "item_price": _said(amount, product.get("price")),
            "delivery_category": _said(delivery, product.get("delivery_category")),
        }
        if one["id"]:
            made.append({key: value for key, value in one.items() if value is not None})
    return made


def _category(event: Mapping[str, Any]) -> Any:
    listed = event.get("event") == "Product List Viewed" and not contents(event)
    return At("properties.category").find(event) if listed else None


def _content_ids(event: Mapping[str, Any]) -> list[Any] | None:
    return [one["id"] for one in contents(event)] or _category(event)


def _content_type(event: Mapping[str, Any]) -> str | None:
    if contents(event):
        return "product"
    return "product_group" if _category(event) else None


def _content_name(event: Mapping[str, Any]) -> Any:
    own = _own(event)
    return own.get("name") if own else None


def _num_items(event: Mapping[str, Any]) -> int | None:
    quantities = [_quantity(product) for product in _products(event)]
    return sum(1 if many is None else many for many in quantities) or None


def _own_value(event: Mapping[str, Any]) -> int | float | None:
    own = _own(event)
    if own is None:
        return None
    price, many = _said(amount, own.get("price")), _quantity(own)
    # Cents, not the binary tail of 0.1 * 3.
    return None if price is None else round(price * (1 if many is None else many), 6)


def fields(currency: str, custom_properties: Sequence[str]) -> dict[str, Field]:
    """The fields of `custom_data`, by the vendor's own names."""

    def at(*names: str) -> First:
        return First(*(At(f"properties.{name}") for name in names))

    return {
        "value": Field(
            "What it was worth.",
            First(
                *at("revenue", "total", "value").sources,
                Made("price times quantity of the event's own product", _own_value),
            ),
            amount,
        ),
        "currency": Field(
            "Its currency, sent beside a value.",
            First(At("properties.currency"), Const(currency)),
            forms.currency,
        ),
        "contents": Field(
            "The products: id, quantity, item_price.",
            Made("properties.products, else the product in properties itself", contents),
        ),
        "content_ids": Field(
            "The products' ids, or the category's of a list without any.",
            First(At("properties.content_ids"), Made("the ids of contents", _content_ids)),
            forms.many(forms.text),
        ),
        "content_type": Field(
            "Whether content_ids are of products or of groups.",
            First(
                At("properties.content_type"),
                Made("product where there are contents, else product_group", _content_type),
            ),
            forms.text,
        ),
        # Of a product only: the name on a form is a person's, and would go in clear.
        "content_name": Field(
            "Name of the product.",
            First(
                At("properties.content_name"),
                Made("properties.name, if properties are a product", _content_name),
            ),
            forms.text,
        ),
        "content_category": Field("Its category.", at("category"), forms.text),
        "num_items": Field(
            "How many things.",
            First(At("properties.num_items"), Made("the sum of quantities", _num_items)),
            amount,
        ),
        "order_id": Field("Your number of the order.", at("order_id", "orderId"), forms.text),
        "search_string": Field("What was searched.", at("query", "search_string"), forms.text),
        "status": Field("How far a registration is.", at("status"), forms.text),
        "predicted_ltv": Field("What the person will be worth.", at("predicted_ltv"), amount),
        "net_revenue": Field("What is left of the value.", at("net_revenue"), amount),
        "delivery_category": Field("How it gets to the buyer.", at("delivery_category"), delivery),
        **_own_fields(custom_properties),
    }


def page_fields(custom_properties: Sequence[str]) -> dict[str, Field]:
    """The fields of `custom_data` of a page or a screen."""
    return {
        "content_name": Field(
            "Name of the page.", First("name", "properties.name", "properties.title"), forms.text
        ),
        "content_category": Field(
            "Its category.", First("category", "properties.category"), forms.text
        ),
        **_own_fields(custom_properties),
    }


def _own_fields(names: Sequence[str]) -> dict[str, Field]:
    return {
        name: Field("A property of your own.", At(f"properties.{name}"), scalar) for name in names
    }
