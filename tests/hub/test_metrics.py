"""Every metric, declared once."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

import hub.metrics
from hub.metrics import Metrics

BOUNDED = {
    "route",
    "status",
    "source",
    "type",
    "code",
    "kind",
    "cause",
    "destination",
    "reason",
    "action",
}
"""What a label may be: each comes from settings, a table, or a vendor's declaration."""


def declared() -> dict[str, Counter | Gauge | Histogram]:
    """The metrics by their attributes."""
    return {n: m for n, m in vars(Metrics()).items() if isinstance(m, Counter | Gauge | Histogram)}


def test_each_metric_is_called_as_it_is_exposed() -> None:
    """An attribute is its metric's name, without the ending that says it is a counter."""
    for attribute, metric in declared().items():
        (family,) = metric.describe()

        assert attribute == family.name
        assert attribute.startswith(("ingest_", "destination_"))


def test_each_metric_has_a_sentence() -> None:
    """It ends with a full stop, and says its unit where it has one."""
    for attribute, metric in declared().items():
        (family,) = metric.describe()

        assert family.documentation.endswith("."), attribute
        if attribute.endswith("_seconds"):
            assert "econds" in family.documentation, attribute
        if attribute.endswith("_bytes"):
            assert "ytes" in family.documentation, attribute


def test_labels_are_bounded() -> None:
    """No label is an event's, a person's or a vendor's own word."""
    for attribute, metric in declared().items():
        assert set(metric._labelnames) <= BOUNDED, attribute


def test_two_processes_metrics_do_not_meet() -> None:
    """Each Metrics has a registry of its own."""
    one, two = Metrics(), Metrics()
    one.ingest_unkept.labels("no_key").inc()

    assert b'ingest_unkept_total{code="no_key"} 1.0' in one.exposition()
    assert b"no_key" not in two.exposition()


def test_prometheus_reads_it() -> None:
    """Every declared metric is exposed under its name, with its sentence."""
    families = {f.name: f for f in text_string_to_metric_families(Metrics().exposition().decode())}

    assert set(declared()) == set(families)
    assert all(family.documentation for family in families.values())


def test_buckets_grow() -> None:
    """The buckets of each histogram are in order and none is twice."""
    for attribute, metric in declared().items():
        if isinstance(metric, Histogram):
            bounds = metric._upper_bounds

            assert sorted(set(bounds)) == list(bounds), attribute


def test_workers_are_scraped_as_one(tmp_path: Path) -> None:
    """With a shared folder, one worker's answer holds what all of them counted."""
    code = (
        "from hub.metrics import Metrics; m = Metrics(); m.ingest_unkept.labels('no_key').inc();"
        "m.ingest_in_flight_bytes.set(5); print(m.exposition().decode())"
    )
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    told = [
        subprocess.run(
            [sys.executable, "-c", code], env=environ, check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]

    assert 'ingest_unkept_total{code="no_key"} 1.0' in told[0]
    assert 'ingest_unkept_total{code="no_key"} 2.0' in told[1]


def test_each_is_declared_in_one_place() -> None:
    """No name stands twice in the file."""
    tree = ast.parse(Path(hub.metrics.__file__).read_text())
    names = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("_counter", "_gauge", "_histogram")
        and isinstance(node.args[0], ast.Constant)
    ]

    assert len(names) == len(set(names)) == len(declared())
