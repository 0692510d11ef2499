"""The dependencies and caches that the routes of all resources share."""

from dataclasses import dataclass

from api.responses.cached_response import CachedResponses
from api.responses.freshness import Freshness
from api.responses.large_responses import LargeResponses
from services.market.dependencies import Dependencies


@dataclass(frozen=True, slots=True)
class RouteContext:
    """Passed to the `blueprint` function of each resource."""

    dependencies: Dependencies
    freshness: Freshness
    responses: CachedResponses
    large: LargeResponses
