"""All routes of the JSON interface, mounted on a Flask server."""

from flask import Flask

from api.contract.openapi import operation_rules
from api.middleware.response_cache import caching_responses
from api.resources import alerts, deliveries, documentation, history, metrics, mutes, replay, rules, status, stream
from api.resources.context import RouteContext
from api.responses.cached_response import CachedResponses
from api.responses.freshness import Freshness
from api.responses.large_responses import LargeResponses
from api.responses.problems import handle_problems
from api.unknown_paths import answer_unknown_paths
from services.market.dependencies import Dependencies

RESOURCES = (metrics, history, alerts, rules, replay, mutes, deliveries, status, stream, documentation)


def mount(server: Flask, dependencies: Dependencies, large: LargeResponses | None = None) -> None:
    """Add the JSON interface to `server`, with a response cache around its `wsgi_app`.

    Middleware that refuses requests must be put around `wsgi_app` after this, or cached responses bypass it.
    """
    freshness = Freshness(dependencies.reader, dependencies.clock)
    large = large or LargeResponses(dependencies.step_aside)
    context = RouteContext(dependencies, freshness, CachedResponses(), large)
    for resource in RESOURCES:
        server.register_blueprint(resource.blueprint(context))
    paths = [rule.rule for rule, _ in operation_rules(server)]
    handle_problems(server, first_segments=frozenset(path.split("/")[1] for path in paths))
    answer_unknown_paths(server, below=frozenset(path.split("/")[1] for path in paths if path.count("/") > 1))
    server.wsgi_app = caching_responses(server.wsgi_app, freshness)  # type: ignore[assignment, method-assign]
