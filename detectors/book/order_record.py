"""The records of large orders and of additions to a level, read by name inside the kernels."""

from typing import Final

import numpy as np

ORDER: Final = np.dtype(
    [
        ("price_key", "<i8"),
        ("side", "<i8"),  # BID or ASK of fathom.market.levels
        ("size", "<i8"),
        ("status", "<i8"),
        ("placed", "<i8"),  # ts_event of the message that first showed it
        ("placed_after", "<i8"),  # ts_event of the message before
        ("distance", "<i8"),  # ticks from the touch after that message
        ("next", "<i8"),  # next order at the same level, -1 at the end
        ("taken_bid", "<i8"),  # lots taken from the bids, and the asks, before it came
        ("taken_ask", "<i8"),
        ("hits_bid", "<i8"),  # trades that had hit the bids, and the asks, before it came
        ("hits_ask", "<i8"),
        ("placed_mid2", "<i8"),
        ("level_before", "<i8"),  # lots of the level without it
        ("retail_before", "<i8"),  # lots of RPI trades at its price in the message before `retail_at`
        ("retail", "<i8"),  # the same since message `retail_at`; from its end on: of all that may explain it
        ("retail_at", "<i8"),  # count of complete messages at the last RPI trade
        ("removed", "<i8"),  # ts_event of the message that showed it gone
        ("removed_after", "<i8"),  # ts_event of the message before
        ("taken_away", "<i8"),  # lots that the level lost and trades known then do not explain
        ("late", "<i8"),  # lots of trades before its end that came to be known after it
        ("moved", "<i8"),  # 1 when as much was placed elsewhere on the same side at the same time
        ("scrolled", "<i8"),  # 1 when it may have left a limited depth
        ("crowd", "<i8"),  # large orders of its side placed near the touch in the same message, itself included
        ("is_layer", "<i8"),  # 1 when it is large enough for a layer
        ("is_spoof", "<i8"),  # 1 when it is large enough for a spoofing order
        ("is_large", "<i8"),  # 1 when it counts in crowds
        ("layer_ratio", "<f8"),  # size over the least size for a layer at its distance
        ("usual_ratio", "<f8"),  # size over the usual size at its distance
        ("rarity", "<f8"),  # minus log of the share of additions there that are as large
        ("suspicion", "<f8"),  # that it raises by itself, once it is to be remembered; 0 before
    ]
)
ADDITION: Final = np.dtype(
    [
        ("side", "<i8"),
        ("key", "<i8"),
        ("lots", "<i8"),
        ("before", "<i8"),  # lots of the level before
        ("next", "<i8"),  # the next of like size
    ]
)
