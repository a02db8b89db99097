"""Keys go where Kafka's own producers would put them."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as kafkas_murmur2
from hypothesis import given
from hypothesis import strategies as st

from hub.log.partition import murmur2, partition_of


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafkas(data: bytes, expected: int) -> None:
    """The hash of Kafka's own test vectors."""
    assert expected % 2**32 == murmur2(data)


@given(st.binary(max_size=100))
def test_murmur2_is_aiokafkas(data: bytes) -> None:
    """Any bytes hash as aiokafka hashes them."""
    assert kafkas_murmur2(data) & 0xFFFFFFFF == murmur2(data)


@given(st.binary(min_size=1, max_size=100), st.integers(1, 1_024))
def test_a_key_goes_where_aiokafka_puts_it(key: bytes, partitions: int) -> None:
    """Any key has the partition that aiokafka's default partitioner gives it."""
    numbers = list(range(partitions))

    assert DefaultPartitioner()(key, numbers, numbers) == partition_of(key, partitions)
