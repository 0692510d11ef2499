"""Alert: find the metrics that break the rule, and write what they owe."""

from collections.abc import Sequence

import numpy as np

from services.market.rules import Rule
from services.market.stats import Kept
from services.pipeline.store import Arrivals
from services.store import alerts, outbox
from services.store.alerts import Firing
from services.store.engine import Connection
from services.store.outbox import News


def alert(
    connection: Connection, minute: int, kept: Kept, arrivals: Arrivals, rule: Rule, channels: Sequence[str]
) -> tuple[Firing, ...]:
    """Fire for each metric whose price of this very period breaks `rule`, unless it did so within the
    cooldown, as the stored alerts tell. Marks the firing rows of `kept`; answers what was fired."""
    fresh = np.zeros(len(kept), dtype=np.bool_)
    fresh[arrivals.places] = True
    broken = np.flatnonzero(rule.exceeded(fresh, kept["price"], kept["rule_average"], kept["rule_count"]))
    if not len(broken):
        return ()
    cooling = alerts.last_fired(connection, kept["id"][broken].tolist(), minute - rule.cooldown_seconds)
    firings = tuple(
        Firing(
            metric_id=int(kept["id"][row]),
            fired_at=minute,
            price=float(kept["price"][row]),
            average=float(kept["rule_average"][row]),
            factor=rule.factor,
            samples=int(kept["rule_count"][row]),
        )
        for row in broken
        if int(kept["id"][row]) not in cooling
    )
    kept["alerted_at"][np.isin(kept["id"], [firing.metric_id for firing in firings])] = minute
    numbers = alerts.fire(connection, firings)
    news = [News(number, "fired", channels) for number in numbers]
    # A message names the first few: those that stand out most.
    order = sorted(range(len(news)), key=lambda place: firings[place].average / firings[place].price)
    outbox.owe(connection, minute, [news[place] for place in order])
    return firings
