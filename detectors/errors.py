"""What can go wrong in a detector."""


class DetectorError(ValueError):
    """Input or state that a detector cannot accept; the message says what was expected."""
