"""The least that does the work: reads, validates by JSON Schema, and produces by group commit.

Nothing of the hub is in it: no dedupe, no enrichment, no sources, no limits, no deadlines, no
metrics. Run as a program: a port, the brokers, a topic and its count of partitions.
"""

from __future__ import annotations

import asyncio
import sys
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

STRING = {"type": "string", "minLength": 1}
EVENT = jsonschema_rs.validator_for(
    {
        "type": "object",
        "required": ["messageId", "userId", "event"],
        "properties": {
            "messageId": {**STRING, "maxLength": 255},
            "userId": STRING,
            "anonymousId": STRING,
            "event": STRING,
            "type": {"enum": ["track", "identify", "page", "screen", "group", "alias"]},
            "timestamp": STRING,
            "context": {
                "type": "object",
                "properties": {
                    "ip": STRING,
                    "locale": STRING,
                    "userAgent": STRING,
                    "library": {"type": "object", "properties": {"name": STRING}},
                    "page": {"type": "object", "properties": {"url": STRING, "path": STRING}},
                    "campaign": {"type": "object", "additionalProperties": STRING},
                },
            },
            "properties": {"type": "object"},
        },
    }
)
IDLE_SECONDS = 0.001
BATCH_BYTES = 512 * 1024


class GroupCommit:
    """One round of produce requests travels while the next one fills; one answer a call."""

    def __init__(self, producer: Any, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partition_of = lru_cache(65_536)(lambda key: (murmur2(key) & 0x7FFFFFFF) % partitions)
        self._waiting: list[tuple[list[tuple[bytes, bytes]], asyncio.Future[None]]] = []
        self._round: asyncio.Task[None] | None = None

    def append(self, entries: list[tuple[bytes, bytes]]) -> asyncio.Future[None]:
        """Done when all entries, each a key and a value, are durable."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, answer))
        if self._round is None:
            self._round = asyncio.create_task(self._rounds())
        return answer

    async def _rounds(self) -> None:
        await asyncio.sleep(IDLE_SECONDS)
        while self._waiting:
            calls, self._waiting = self._waiting, []
            await self._produce([entry for entries, _ in calls for entry in entries])
            for _, answer in calls:
                answer.set_result(None)
        self._round = None

    async def _produce(self, entries: list[tuple[bytes, bytes]]) -> None:
        batches: dict[int, Any] = {}
        sent = []
        for key, value in entries:
            partition = self._partition_of(key)
            batch = batches.get(partition)
            if batch is None or not batch.append(key=key, value=value, timestamp=None):
                if batch is not None:
                    sent.append(await self._send(batch, partition))
                batch = batches[partition] = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        sent += [await self._send(batch, partition) for partition, batch in batches.items()]
        await asyncio.gather(*sent)

    async def _send(self, batch: Any, partition: int) -> Any:
        return await self._producer.send_batch(batch, self._topic, partition=partition)


async def serve(port: int, brokers: str, topic: str, partitions: int) -> None:
    """Serve until the process is ended."""
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
    )
    await producer.start()
    log = GroupCommit(producer, topic, partitions)

    async def answer(request: web.BaseRequest) -> web.Response:
        body = orjson.loads(await request.read() or b'{"batch":[]}')
        events = body.get("batch", [body])
        if not all(EVENT.is_valid(event) for event in events):
            return web.Response(status=400)
        if events:
            await log.append([(one["userId"].encode(), orjson.dumps(one)) for one in events])
        return web.Response(body=b'{"success":true}', content_type="application/json")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1_024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
