"""The scenes of ingest's tests: a running hub, or one started with other settings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.ingest.scenes import Hub, hub_of, settings


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Hub]]]:
    """Start a hub with these settings of its source, or of the process (`ingest=`)."""
    async with AsyncExitStack() as stack:

        async def started(*, log: Any = None, folder: Any = None, **fields: Any) -> Hub:
            return await stack.enter_async_context(hub_of(settings(**fields), log, folder))

        yield started


@pytest.fixture
async def hub(start: Callable[..., Awaitable[Hub]]) -> Hub:
    """A hub with one source and all defaults."""
    return await start()


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[asyncio.Runner, Hub]]:
    """One hub for all of a test's examples, on a loop of its own: hypothesis cannot wait."""
    with asyncio.Runner() as runner:
        hub_is = hub_of(settings())
        yield runner, runner.run(hub_is.__aenter__())
        runner.run(hub_is.__aexit__(None, None, None))
