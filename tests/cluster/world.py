"""The markets of the cluster's test: every price is a function of market, pair and period alone, so that whatever
the program has stored can be checked."""

import json
import os
from pathlib import Path
from zlib import crc32

PERIOD = 10
"""Seconds: on a slow machine, too, what was killed is back within the same period."""

HOSTS = {"api.binance.com": "binance", "api.binance.us": "binanceus"}
BASES = ("BTC", "ETH", "BNB", "AVAX", "SOL", "FIL", "ETC", "NEAR", "DOT", "XRP", "ADA", "LTC", "ATOM", "LINK", "UNI")
QUOTE = "USDT"
PAIRS = tuple((market, base) for market in HOSTS.values() for base in BASES)
TRACK = ",".join(f"{market}:*/{QUOTE}" for market in HOSTS.values())

SPIKE = 5.0
"""How many times its usual price a pair costs for two periods from when it spikes: more than three, so it alerts."""

Spikes = dict[str, int]
"""The epoch second at which a `market:base` spikes."""


def period_of(second: float) -> int:
    return int(second) // PERIOD * PERIOD


def price(market: str, base: str, second: float, spikes: Spikes) -> float:
    """What the pair costs in the period of epoch `second`: its level and up to a hundredth more, from period to period
    another."""
    period = period_of(second)
    level = 1.0 + crc32(f"{market}:{base}".encode()) % 100_000 / 7
    usual = level * (1 + (period // PERIOD * 7919 + crc32(base.encode())) % 997 / 99_700)
    begins = spikes.get(f"{market}:{base}")
    spiking = begins is not None and begins <= period < begins + 2 * PERIOD
    return round(usual * SPIKE if spiking else usual, 8)


def write_spikes(path: Path, spikes: Spikes) -> None:
    """Where the exchanges look for them, also one that is started anew; there whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(spikes))
    os.replace(fresh, path)


def read_spikes(path: Path) -> Spikes:
    found: Spikes = json.loads(path.read_text())
    return found
