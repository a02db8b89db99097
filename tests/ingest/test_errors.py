"""The table of refusals."""

import orjson
import pytest

import schemas
from ingest.errors import ANSWER_CODES, REFUSALS, refuse


@pytest.mark.parametrize("code", sorted(REFUSALS.keys() - {"source_disabled"}))
def test_every_refusal_is_what_sdks_understand(code: str) -> None:
    """A status they handle, and JSON with success, code and message."""
    answer = refuse(code, retry_after=3)
    refusal = REFUSALS[code]

    assert refusal.meaning
    assert ANSWER_CODES[refusal.status] == orjson.loads(answer.body)["code"]
    assert {"success", "code", "message"} == set(orjson.loads(answer.body))
    assert ("Retry-After", "3") in answer.headers


def test_the_schemas_codes_are_in_the_table() -> None:
    """So that no label comes from elsewhere."""
    assert set(REFUSALS) >= schemas.CODES


def test_only_passing_refusals_are_not_kept() -> None:
    """What is refused for good and has a source is in the stream `rejected`."""
    unkept = {code for code, row in REFUSALS.items() if not row.kept and row.status == 400}

    assert unkept == {
        "no_write_key",
        "unknown_write_key",
        "wrong_method",
        "malformed_head",
        "broken_body",
    }
