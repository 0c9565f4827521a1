"""What can go wrong in a detector."""

from fathom.settings.errors import FathomError


class DetectorError(FathomError, ValueError):
    """Input or state that a detector cannot accept; the message says what was expected."""
