"""URLs as they may be shown: without who logs in, and without keys."""

import re
from collections.abc import Mapping
from typing import Any, Final

# Strictly, a password ends at the first / ? or #; people write them unescaped all the same.
_LOGIN: Final = re.compile(
    r"""(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/?#"'`<>]*@|[^\s/@:"'`<>]*:(?!\d*[/?#])[^\s"'`<>@]*@)"""
)
_KEY: Final = re.compile(
    r"""(?P<name>[?&;](?:password|passwd|pwd|secret|token|access_token|api_?key|apikey|key|signature|sig)=)[^\s&;"'`<>]+""",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """Return a text with `***` in place of the user, the password and the keys of each URL in it.

    Examples
    --------
    >>> redacted("Expected an answer of redis://user:secret@127.0.0.1:6379/0, was none")
    'Expected an answer of redis://***@127.0.0.1:6379/0, was none'
    >>> redacted("https://data.example.org/BTCUSDT?token=abc&day=1")
    'https://data.example.org/BTCUSDT?token=***&day=1'
    """
    if "://" not in text and "?" not in text:
        return text
    return _KEY.sub(r"\g<name>***", _LOGIN.sub(r"\g<scheme>***@", text))


def redacted_values(value: Any) -> Any:
    """Return plain data with every text in it redacted.

    Examples
    --------
    >>> redacted_values({"store": ["redis://:secret@host"], "depth": 5})
    {'store': ['redis://***@host'], 'depth': 5}
    """
    match value:
        case str():
            return redacted(value)
        case Mapping():
            return {key: redacted_values(inner) for key, inner in value.items()}
        case list() | tuple():
            return type(value)(redacted_values(inner) for inner in value) if type(value) in (list, tuple) else value
    return value
