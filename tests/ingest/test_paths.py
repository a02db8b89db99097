"""Which path means what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.paths import Path, path_of


@pytest.mark.parametrize(
    ("raw", "family", "type_"),
    [
        ("/v1/track", "single", "track"),
        ("/v1/a", "single", "alias"),
        ("/track", "single", "track"),
        ("/v1/v1/v1/t/", "single", "track"),
        ("/v1/b/b", "batch", None),
        ("//v1//import//", "batch", None),
        ("/v1/m", "telemetry", None),
        ("/v1/pixel/page/", "pixel", "page"),
    ],
)
def test_paths_that_are_served(raw: str, family: str, type_: str | None) -> None:
    """And the mistakes people make with them."""
    found = path_of(raw)

    assert found is not None
    assert (family, type_) == (found.family, found.type)


@pytest.mark.parametrize("raw", ["", "/", "/v1", "/v1/", "/V1/track", "/v1/track/x", "/b/b/b"])
def test_paths_that_are_not(raw: str) -> None:
    """404, and only then."""
    assert None is path_of(raw)


def test_the_key_of_settings() -> None:
    """Whatever it looks like."""
    assert Path("settings", "GET", key="projects") == path_of("/v1/projects/projects/settings")


@given(st.text())
def test_no_path_breaks_it(raw: str) -> None:
    """Nor takes long."""
    path_of(raw)
    path_of("/" * 1_000 + raw)
