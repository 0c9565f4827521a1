"""The market that the stand-in replays: contracts, recorded messages, books and the public topics made of them."""

__all__: list[str] = []
