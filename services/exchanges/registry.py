"""Opens an exchange by name."""

from services.exchanges.demo_exchange import NAMED_PAIRS, DemoExchange
from services.market.ports import Exchange


def open_exchange(
    name: str,
    base_url: str | None,
    demo_pairs: int = NAMED_PAIRS,
    period_seconds: float = 60.0,
) -> Exchange:
    """The exchange `name`: `demo`, with `demo_pairs` pairs, or a ccxt id. Sends no request yet. Raises UnknownExchange.

    With `base_url` each request goes to `<base_url>/<full original url>`. Prices are requested every `period_seconds`.
    """
    if name == DemoExchange.name:
        return DemoExchange(demo_pairs)
    # ccxt takes 0.4 s and 77 MB to import, and the simulated exchange does not need it.
    from services.exchanges.ccxt_exchange import CcxtExchange

    return CcxtExchange(name, base_url, period_seconds=period_seconds)
