"""A schema's pattern, as Python's engine has to be told it."""

import re
from typing import Final

# An even number of backslashes before the `$` leaves it what it is.
_ENDING: Final = re.compile(r"(?<!\\)((?:\\\\)*)\$\Z")


def in_python(pattern: str) -> str:
    """The pattern, with an end that is the text's: Python's `$` stands before a last line feed,
    too, and JSON Schema's does not.
    """
    return _ENDING.sub(r"\1\\Z", pattern)
