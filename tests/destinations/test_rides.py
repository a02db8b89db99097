"""What an instance has under way."""

from __future__ import annotations

import asyncio

from destinations.progress import Progress
from destinations.rides import Rides

HERE, THERE = Progress(0), Progress(1)


class Scene:
    """Rides that end when they are let."""

    def __init__(self) -> None:
        self.errors: list[BaseException | None] = []
        self.rides = Rides(self.errors.append)
        self.may_end = asyncio.Event()

    async def ride(self) -> None:
        await self.may_end.wait()

    async def breaks(self) -> None:
        raise ZeroDivisionError


async def test_only_what_is_about_a_partition_is_heard_out() -> None:
    """A partition that moves does not wait for the requests of others."""
    scene = Scene()
    scene.rides.begin(scene.ride(), [HERE])
    await scene.rides.hear_out([THERE], 60.0)
    before = len(scene.rides)
    scene.may_end.set()
    await scene.rides.hear_out([HERE], 60.0)

    assert (1, 0, [None]) == (before, len(scene.rides), scene.errors)


async def test_what_is_late_is_given_up() -> None:
    """Stopping takes no longer than it may."""
    scene = Scene()
    scene.rides.begin(scene.ride(), [HERE, THERE])
    await scene.rides.close(0.0)

    assert (0, [None]) == (len(scene.rides), scene.errors)


async def test_a_ride_that_breaks_is_told() -> None:
    """A bug is not passed over in silence."""
    scene = Scene()
    scene.rides.begin(scene.breaks(), [HERE])
    await scene.rides.close(60.0)

    assert [ZeroDivisionError] == [type(error) for error in scene.errors]
