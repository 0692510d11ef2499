"""The simulated markets of the cluster test. Each price is a function of market, pair and period, so that all stored
prices can be checked."""

import json
import os
from pathlib import Path
from zlib import crc32

PERIOD = 10
"""Seconds, long enough for a killed process to be back within the period even on a slow machine."""

HOSTS = {"api.binance.com": "binance", "api.binance.us": "binanceus"}
BASES = ("BTC", "ETH", "BNB", "AVAX", "SOL", "FIL", "ETC", "NEAR", "DOT", "XRP", "ADA", "LTC", "ATOM", "LINK", "UNI")
QUOTE = "USDT"
PAIRS = tuple((market, base) for market in HOSTS.values() for base in BASES)
TRACK = ",".join(f"{market}:*/{QUOTE}" for market in HOSTS.values())

SPIKE = 5.0
"""The multiple of its usual price at which a spiking pair stays for two periods: above three, so it alerts."""

Spikes = dict[str, int]
"""Epoch second of the spike by `market:base`."""


def period_of(second: float) -> int:
    return int(second) // PERIOD * PERIOD


def price(market: str, base: str, second: float, spikes: Spikes) -> float:
    """The price in the period of epoch `second`: the pair's level plus up to 1 %, different in each period."""
    period = period_of(second)
    level = 1.0 + crc32(f"{market}:{base}".encode()) % 100_000 / 7
    usual = level * (1 + (period // PERIOD * 7919 + crc32(base.encode())) % 997 / 99_700)
    begins = spikes.get(f"{market}:{base}")
    spiking = begins is not None and begins <= period < begins + 2 * PERIOD
    return round(usual * SPIKE if spiking else usual, 8)


def write_spikes(path: Path, spikes: Spikes) -> None:
    """Write the file that the exchanges read, also after a restart; it is replaced atomically."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(spikes))
    os.replace(fresh, path)


def read_spikes(path: Path) -> Spikes:
    found: Spikes = json.loads(path.read_text())
    return found
