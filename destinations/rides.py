"""What an instance has under way: requests, burials, and whatever else must be heard out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from destinations.progress import Progress


class Rides:
    """Tasks by the partitions that they are about; `returned` is told of each that ended."""

    def __init__(self, returned: Callable[[BaseException | None], None]) -> None:
        self._returned = returned
        self._loop = asyncio.get_running_loop()
        self._of: dict[asyncio.Task[None], Collection[Progress]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def begin(self, ride: Coroutine[Any, Any, None], of: Collection[Progress]) -> None:
        """Let it go; whoever moves its partitions waits for it."""
        task: asyncio.Task[None] = self._loop.create_task(ride)
        self._of[task] = of
        task.add_done_callback(self._ended)

    async def hear_out(self, of: Collection[Progress], seconds: float) -> None:
        """Wait until all that is about `of` has ended, at most so long."""
        rides = [ride for ride, about in self._of.items() if not set(of).isdisjoint(about)]
        if rides:
            await asyncio.wait(rides, timeout=seconds)

    async def close(self, seconds: float) -> None:
        """Wait for all, at most so long; what is late is given up."""
        if self._of:
            _, late = await asyncio.wait(list(self._of), timeout=seconds)
            for ride in late:
                ride.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._of[task]
        self._returned(None if task.cancelled() else task.exception())
