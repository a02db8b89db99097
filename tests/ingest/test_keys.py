"""Write keys."""

import hashlib

from ingest.keys import hash_of, new_key


def test_keys_are_long_and_random() -> None:
    """Letters and digits only, as they stand in URLs."""
    keys = {new_key() for _ in range(1_000)}

    assert 1_000 == len(keys)
    assert all(len(key) == 32 and key.isalnum() for key in keys)


def test_a_hash_can_be_made_by_hand() -> None:
    """`printf %s KEY | sha256sum` does it."""
    assert "sha256:" + hashlib.sha256(b"abc").hexdigest() == hash_of("abc")
