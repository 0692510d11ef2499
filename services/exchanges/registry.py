"""NAME -> Exchange."""

from services.exchanges.demo_exchange import NAMED_PAIRS, DemoExchange
from services.market.ports import Exchange


def open_exchange(
    name: str,
    base_url: str | None,
    demo_pairs: int = NAMED_PAIRS,
    period_seconds: float = 60.0,
) -> Exchange:
    """The exchange of this name: `demo` with so many pairs, or a ccxt id. Nothing is requested yet.

    With `base_url` each request goes to `<base_url>/<full original url>`. It is asked for prices every
    `period_seconds`. Raises UnknownExchange.
    """
    if name == DemoExchange.name:
        return DemoExchange(demo_pairs)
    # ccxt takes 0.4 s and 77 MB to import, and the simulated exchange does without.
    from services.exchanges.ccxt_exchange import CcxtExchange

    return CcxtExchange(name, base_url, period_seconds=period_seconds)
