"""`/openapi.json`, and `/docs`: the same description as a page, drawn by Swagger UI.

Swagger UI's files come from the package flask-swagger-ui and are served from here. Its own page is not used: it has
inline scripts, which the content security policy refuses.
"""

from http import HTTPStatus
from importlib.metadata import version as version_of
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, abort, current_app, request, send_from_directory

from api.contract.openapi import openapi
from api.contract.operations import JSON, Operation, operation
from api.resources.context import RouteContext
from api.responses.cached_response import send

SWAGGER_UI = f"assets/swagger-ui-{version_of('flask-swagger-ui')}"
"""The path of its files: below /assets/, which browsers cache, and with the version, so that a new one is loaded."""
SWAGGER_UI_FILES = ("swagger-ui.css", "swagger-ui-bundle.js")
"""The files that the page needs."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · Data Tracker</title>
<link rel="icon" type="image/svg+xml" href="assets/favicon.svg">
<link rel="stylesheet" href="{swagger_ui}/swagger-ui.css">
<link rel="stylesheet" href="assets/docs/docs.css?v={version}">
<script src="assets/docs/theme.js?v={version}"></script>
<script src="{swagger_ui}/swagger-ui-bundle.js" defer></script>
<script src="assets/docs/docs.js?v={version}" defer></script>
</head>
<body>
<header class="docs-head"><a href="./"><img src="assets/favicon.svg" alt="" width="24" height="24">Data Tracker</a>
<span>API</span><a class="docs-file" href="openapi.json">openapi.json</a></header>
<main id="docs"><noscript>The page needs JavaScript; <a href="openapi.json">openapi.json</a> does not.</noscript></main>
</body>
</html>
"""


DESCRIPTION = Operation(name="openapi", summary="This description.", tag="Description", answers={JSON: dict[str, Any]})


def blueprint(context: RouteContext) -> Blueprint:
    routes, version = Blueprint("documentation", __name__), context.dependencies.reader.profile.version
    page = _PAGE.format(swagger_ui=SWAGGER_UI, version=version)  # a new version makes browsers load the scripts anew

    @routes.get("/openapi.json")
    @operation(DESCRIPTION)
    def description() -> Response:
        root = request.script_root or "/"
        return send(context.responses.get("openapi", 0, lambda: openapi(current_app, version, root)))

    @routes.get("/docs")
    def documentation() -> str:
        return page

    @routes.get(f"/{SWAGGER_UI}/<path:name>")
    def swagger_ui(name: str) -> Response:
        if name not in SWAGGER_UI_FILES:
            abort(HTTPStatus.NOT_FOUND)
        return send_from_directory(str(files("flask_swagger_ui") / "dist"), name)

    return routes
