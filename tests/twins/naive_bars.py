"""Naive twins of the bars, the candle features and the indicators: each from its definition, as slowly as it takes."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.market import Kind, TradeFlag

KEPT = 256
NAN = math.nan


class Bar(NamedTuple):
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float


def bars_before(rows: NDArray[np.void], until_ns: int, interval_ns: int) -> list[Bar]:
    """Bars closed at `until_ns`, from the first trade on, in ticks and lots."""
    trades = [
        (int(row["ts_init"]), float(row["price"]), float(row["size"]))
        for row in rows
        if row["kind"] == Kind.TRADE and not row["flags"] & TradeFlag.BLOCK
    ]
    bars: list[Bar] = []
    if not trades:
        return bars
    start = trades[0][0] // interval_ns * interval_ns
    while start + interval_ns <= until_ns:
        inside = [(price, size) for ts, price, size in trades if start <= ts < start + interval_ns]
        if inside:
            prices = [price for price, _ in inside]
            volume = math.fsum(size for _, size in inside)
            turnover = math.fsum(price * size for price, size in inside)
            bars.append(Bar(prices[0], max(prices), min(prices), prices[-1], volume, turnover))
        else:
            last = bars[-1].close
            bars.append(Bar(last, last, last, last, 0.0, 0.0))
        start += interval_ns
    return bars


def values(bars: Sequence[Bar], tick: float, lot: float) -> dict[str, float]:
    """Every candle feature and indicator after these bars; NaN where it is undefined."""
    kept = bars[-KEPT:]
    if not kept:
        return {}
    o, h, l, c, v, q = (np.array(column) for column in zip(*kept, strict=True))  # noqa: E741
    found = {**_candles(o, h, l, c, v, tick, lot), **_indicators(h, l, c, v, q, tick, lot)}
    return {name: float(value) for name, value in found.items()}


def _over(a: float, b: float) -> float:
    return a / b if b > 0 else NAN


def _candles(
    o: NDArray[np.float64],
    h: NDArray[np.float64],
    l: NDArray[np.float64],  # noqa: E741
    c: NDArray[np.float64],
    v: NDArray[np.float64],
    tick: float,
    lot: float,
) -> dict[str, float]:
    n = len(c)
    top, bottom = max(o[-1], c[-1]), min(o[-1], c[-1])
    reach = h[-1] - l[-1]
    simple = c[1:] / c[:-1] - 1
    log = np.diff(np.log(c))
    hl, co = np.log(h / l), np.log(c / o)
    garman_klass = 0.5 * hl**2 - (2 * math.log(2) - 1) * co**2
    return {
        "open": o[-1] * tick,
        "high": h[-1] * tick,
        "low": l[-1] * tick,
        "close": c[-1] * tick,
        "volume": v[-1] * lot,
        "returns": simple[-1] if n > 1 else NAN,
        "log_returns": log[-1] if n > 1 else NAN,
        "high_low_range": 1e4 * reach / c[-1],
        "close_open_diff": 1e4 * (c[-1] - o[-1]) / c[-1],
        "upper_shadow": 1e4 * (h[-1] - top) / c[-1],
        "lower_shadow": 1e4 * (bottom - l[-1]) / c[-1],
        "body_size": 1e4 * (top - bottom) / c[-1],
        "realized_volatility": 1e4 * math.sqrt(np.mean(log[-20:] ** 2)) if n > 20 else NAN,
        "parkinson_volatility": 1e4 * math.sqrt(np.mean(hl[-20:] ** 2) / (4 * math.log(2))) if n >= 20 else NAN,
        "garman_klass_volatility": 1e4 * math.sqrt(np.mean(garman_klass[-20:])) if n >= 20 else NAN,
        "volume_ma_ratio": _over(v[-1], np.mean(v[-20:])) if n >= 20 else NAN,
        "volume_change_rate": _over(v[-1] - v[-2], v[-1] + v[-2]) if n > 1 else NAN,
        "price_volume_trend": 1e4 * _over(np.sum(simple[-20:] * v[-20:]), np.sum(v[-20:])) if n > 20 else NAN,
        "doji_strength": 1 - _over(top - bottom, reach),
        "hammer_strength": _over((bottom - l[-1]) - (h[-1] - top), reach),
    }


def _last(n: int, least: int, value: Callable[[], float]) -> float:
    return value() if n >= least else NAN


def ema(x: Sequence[float], length: int) -> list[float]:
    """Exponential average from the first full mean on."""
    found = [sum(x[:length]) / length]
    for value in x[length:]:
        found.append(found[-1] + 2 / (length + 1) * (value - found[-1]))
    return found


def wilder(x: Sequence[float], length: int) -> list[float]:
    """Wilder's average from the first full mean on."""
    found = [sum(x[:length]) / length]
    for value in x[length:]:
        found.append((found[-1] * (length - 1) + value) / length)
    return found


def _true_ranges(h: NDArray[np.float64], l: NDArray[np.float64], c: NDArray[np.float64]) -> list[float]:  # noqa: E741
    return [max(h[i], c[i - 1]) - min(l[i], c[i - 1]) for i in range(1, len(c))]


def _directional(h: NDArray[np.float64], l: NDArray[np.float64], tr: list[float]) -> tuple[float, float, float]:  # noqa: E741
    ups, downs = [], []
    for i in range(1, len(h)):
        up, down = h[i] - h[i - 1], l[i - 1] - l[i]
        ups.append(up if up > max(down, 0) else 0.0)
        downs.append(down if down > max(up, 0) else 0.0)
    sums = []
    for x in (ups, downs, tr):
        total = sum(x[:13])
        series = []
        for value in x[13:]:
            total = total * 13 / 14 + value
            series.append(total)
        sums.append(series)
    dx = [100 * abs(p - m) / (p + m) if p + m > 0 and t > 0 else None for p, m, t in zip(*sums, strict=True)]
    adx = NAN
    if len(dx) >= 14:
        adx = sum(x or 0.0 for x in dx[:14]) / 14
        for strength in dx[14:]:
            adx = adx if strength is None else (adx * 13 + strength) / 14
    plus, minus, reach = (series[-1] for series in sums)
    return adx, 100 * _over(plus, reach), 100 * _over(minus, reach)


def _rsi(c: NDArray[np.float64], length: int) -> float:
    moves = np.diff(c).tolist()
    gain = wilder([max(m, 0.0) for m in moves], length)[-1]
    loss = wilder([max(-m, 0.0) for m in moves], length)[-1]
    return 100 * _over(gain, gain + loss)


def supertrend(h: NDArray[np.float64], l: NDArray[np.float64], c: NDArray[np.float64]) -> float:  # noqa: E741
    atr = wilder(_true_ranges(h, l, c), 10)
    first = 10
    upper = lower = NAN
    trend = 1
    for i in range(first, len(c)):
        basic_upper = (h[i] + l[i]) / 2 + 3 * atr[i - first]
        basic_lower = (h[i] + l[i]) / 2 - 3 * atr[i - first]
        if i == first:
            upper, lower = basic_upper, basic_lower
            continue
        upper = basic_upper if basic_upper < upper or c[i - 1] > upper else upper
        lower = basic_lower if basic_lower > lower or c[i - 1] < lower else lower
        if trend == 1 and c[i] < lower:
            trend = -1
        elif trend == -1 and c[i] > upper:
            trend = 1
    return lower if trend == 1 else upper


def sar(h: NDArray[np.float64], l: NDArray[np.float64]) -> float:  # noqa: E741
    up, down = h[1] - h[0], l[0] - l[1]
    long = not (down > 0 and down > up)
    point, extreme, speed = (l[0], h[1], 0.02) if long else (h[0], l[1], 0.02)
    shown = point
    for i in range(1, len(h)):
        recent = slice(max(i - 1, 1), i + 1)
        broken = l[i] <= point if long else h[i] >= point
        if broken:
            long = not long
            shown = min(extreme, l[recent].min()) if long else max(extreme, h[recent].max())
            speed, extreme = 0.02, h[i] if long else l[i]
        else:
            shown = point
            if (h[i] > extreme) if long else (l[i] < extreme):
                extreme = h[i] if long else l[i]
                speed = min(speed + 0.02, 0.2)
        point = shown + speed * (extreme - shown)
        point = min(point, l[recent].min()) if long else max(point, h[recent].max())
    return float(shown)


def _indicators(
    h: NDArray[np.float64],
    l: NDArray[np.float64],  # noqa: E741
    c: NDArray[np.float64],
    v: NDArray[np.float64],
    q: NDArray[np.float64],
    tick: float,
    lot: float,
) -> dict[str, float]:
    n = len(c)
    price: dict[str, float] = {}  # in ticks, for now
    for length in (10, 20, 50, 100, 200):
        price[f"sma_{length}"] = _last(n, length, lambda k=length: np.mean(c[-k:]))  # type: ignore[misc]
    for length in (10, 20, 50):
        price[f"ema_{length}"] = _last(n, length, lambda k=length: ema(c.tolist(), k)[-1])  # type: ignore[misc]
    macd = signal = NAN
    if n >= 34:
        fast, slow = ema(c[14:].tolist(), 12), ema(c.tolist(), 26)
        line = [a - b for a, b in zip(fast, slow, strict=True)]
        macd, signal = line[-1], ema(line, 9)[-1]
    other: dict[str, float] = {}
    tr = _true_ranges(h, l, c)
    adx, plus, minus = _directional(h, l, tr) if n > 14 else (NAN, NAN, NAN)
    other |= {"adx": adx, "plus_di": plus, "minus_di": minus}
    other["rsi_14"] = _last(n, 15, lambda: _rsi(c, 14))
    other["rsi_28"] = _last(n, 29, lambda: _rsi(c, 28))
    fast_k = [
        100 * _over(c[i] - l[i - 13 : i + 1].min(), h[i - 13 : i + 1].max() - l[i - 13 : i + 1].min())
        for i in range(max(13, n - 5), n)
    ]
    slow_k = [sum(fast_k[i - 2 : i + 1]) / 3 for i in range(2, len(fast_k))]
    other["stochastic_k"] = slow_k[-1] if slow_k else NAN
    other["stochastic_d"] = sum(slow_k[-3:]) / 3 if len(slow_k) >= 3 else NAN
    other["williams_r"] = _last(n, 14, lambda: -100 * _over(h[-14:].max() - c[-1], h[-14:].max() - l[-14:].min()))
    typical = (h + l + c) / 3
    other["cci"] = NAN
    other["bollinger_pct"] = other["bollinger_width"] = NAN
    price["bollinger_upper"] = price["bollinger_middle"] = price["bollinger_lower"] = NAN
    if n >= 20:
        p = typical[-20:]
        flat = len(set((h + l + c)[-20:].tolist())) == 1
        other["cci"] = NAN if flat else (p[-1] - p.mean()) / (0.015 * np.mean(abs(p - p.mean())))
        middle, wide = float(c[-20:].mean()), 2 * float(c[-20:].std())
        still = len(set(c[-20:].tolist())) == 1
        wide = 0.0 if still else wide
        price |= {"bollinger_upper": middle + wide, "bollinger_middle": middle, "bollinger_lower": middle - wide}
        other["bollinger_width"] = 1e4 * 2 * wide / middle
        other["bollinger_pct"] = _over(c[-1] - (middle - wide), 2 * wide)
    price["keltner_upper"] = price["ema_20"] + 2 * _last(n, 20, lambda: wilder(tr, 10)[-1])
    price["keltner_lower"] = price["ema_20"] - 2 * _last(n, 20, lambda: wilder(tr, 10)[-1])
    price["vwap"] = _last(n, 60, lambda: _over(q[-60:].sum(), v[-60:].sum()))
    price["parabolic_sar"] = _last(n, 2, lambda: sar(h, l))
    price["supertrend"] = _last(n, 11, lambda: supertrend(h, l, c))

    def middle_of(length: int, ago: int) -> float:
        end = n - ago
        return _last(end, length, lambda: (h[end - length : end].max() + l[end - length : end].min()) / 2)

    price["ichimoku_tenkan"] = middle_of(9, 0)
    price["ichimoku_kijun"] = middle_of(26, 0)
    price["ichimoku_senkou_a"] = (middle_of(9, 26) + middle_of(26, 26)) / 2
    price["ichimoku_senkou_b"] = middle_of(52, 26)
    price["ichimoku_chikou"] = _last(n, 27, lambda: c[-27])
    change = {
        "macd": macd,
        "macd_signal": signal,
        "macd_histogram": macd - signal,
        "momentum_10": _last(n, 11, lambda: c[-1] - c[-11]),
        "atr_14": _last(n, 15, lambda: wilder(tr, 14)[-1]),
    }
    where = np.array([(2 * c[i] - h[i] - l[i]) / (h[i] - l[i]) if h[i] > l[i] else 0.0 for i in range(n)])
    total = {
        "obv": _last(n, 201, lambda: np.sum(np.sign(np.diff(c))[-200:] * v[-200:])),
        "ad_line": _last(n, 200, lambda: np.sum((where * v)[-200:])),
    }
    other["cmf"] = _last(n, 20, lambda: _over(np.sum((where * v)[-20:]), v[-20:].sum()))
    flow, moved = (typical * v)[1:][-14:], np.sign(np.diff(h + l + c))[-14:]
    other["mfi"] = _last(n, 15, lambda: 100 * _over(flow[moved > 0].sum(), flow[moved != 0].sum()))
    found = {name: value * tick for name, value in price.items()}
    found |= {name: value * tick for name, value in change.items()}
    found |= {name: value * lot for name, value in total.items()}
    found |= other
    found |= {f"{name}_bps": 1e4 * (value / c[-1] - 1) for name, value in price.items() if name != "bollinger_middle"}
    found |= {f"{name}_bps": 1e4 * value / c[-1] for name, value in change.items()}
    found |= {f"{name}_share": _over(value, v[-200:].sum()) for name, value in total.items()}
    return found
