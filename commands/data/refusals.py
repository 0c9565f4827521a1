"""What every command of `fathom data` does when it must refuse: one message, exit code 1, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from fathom.settings.errors import FathomError


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the catalog refuses, and what the disk refuses, into the error of a command.

    Raises
    ------
    click.ClickException
        Instead of a `CatalogError` or an `OSError`.

    Examples
    --------
    >>> with refusals():
    ...     raise PermissionError(13, "Permission denied", "catalog/fathom")
    Traceback (most recent call last):
    click.exceptions.ClickException: Expected to read and write catalog/fathom, was: Permission denied. Nothing half-written stays behind; give rights or space, then run the command again.
    """  # noqa: E501
    try:
        yield
    except FathomError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"Expected to read and write {error.filename or 'the files'}, was: {error.strerror or error}. "
            "Nothing half-written stays behind; give rights or space, then run the command again."
        ) from error
