"""What can go wrong live, as one small error tree."""

from fathom.settings.errors import FathomError


class LiveError(FathomError):
    """Anything that keeps a live session from starting or going on; the message says what, where, and the remedy."""
