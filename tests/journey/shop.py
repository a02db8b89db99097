"""Sends COUNT numbered events of PEOPLE people with the unmodified Python SDK.

Only the host is ours. Run as a program: HOST, KEY, COUNT and PEOPLE come from the environment.
"""

from __future__ import annotations

import os
import sys

from segment.analytics.client import Client


def main() -> int:
    """Send, wait for every answer, and tell by the status whether any was an error."""
    failed: list[object] = []
    client = Client(
        os.environ["KEY"], host=os.environ["HOST"], on_error=lambda error, _: failed.append(error)
    )
    people = int(os.environ["PEOPLE"])
    for n in range(int(os.environ["COUNT"])):
        user = f"python-{n % people}"
        context = {
            "traits": {"email": f"{user}@shop.example"},
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
            "page": {"url": "https://shop.example/checkout"},
        }
        if n < people:
            client.identify(user, {"email": f"{user}@shop.example", "firstName": "Ada"}, context)
        properties = {"n": n, "order_id": f"o-{n}", "total": 9.9, "currency": "EUR"}
        client.track(user, "Order Completed", properties, context)
    client.flush()
    client.join()
    for error in failed:
        print(error, file=sys.stderr)  # noqa: T201 - a program of its own
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
