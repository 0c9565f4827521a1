"""No password of a URL is shown."""

import pytest

from fathom.settings.errors import FathomError, SettingsError
from fathom.settings.urls import redacted, redacted_values


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:s3cret@host:6379/0", "redis://***@host:6379/0"),
        ("redis+cluster://:s3cret@host:7000", "redis+cluster://***@host:7000"),
        ("https://s3cret@host/path", "https://***@host/path"),
        ("postgresql+psycopg2://user:s3@cret@host/db", "postgresql+psycopg2://***@host/db"),
        ("postgresql://user:s3/cret?x@host/db", "postgresql://***@host/db"),
        ("redis://host/0?password=s3cret&db=1", "redis://host/0?password=***&db=1"),
        ("HTTPSConnectionPool: /day?api_key=s3cret (refused)", "HTTPSConnectionPool: /day?api_key=*** (refused)"),
        ('{"a": "redis://u:s3cret@h", "b": "redis://u:s3cret@i"}', '{"a": "redis://***@h", "b": "redis://***@i"}'),
    ],
)
def test_who_logs_in_is_hidden(url: str, shown: str) -> None:
    assert redacted(url) == shown
    assert redacted(redacted(url)) == shown
    assert redacted_values({"list": [url], "count": 3}) == {"list": [shown], "count": 3}
    assert str(FathomError(f"Expected an answer, was none: {url}")) == f"Expected an answer, was none: {shown}"
    assert "s3" not in str(SettingsError("Expected 5.", source=f"--set store={url}"))


@pytest.mark.parametrize(
    "text", ["http://host:8791/a@b", "https://host/x?day=3&symbol=BTC", "mail me@host", "a/b@c", "redis://host:6379/0"]
)
def test_what_holds_no_password_stays(text: str) -> None:
    assert redacted(text) == text
