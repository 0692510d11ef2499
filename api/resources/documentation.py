"""`/docs`: the description of the interface as a page, drawn by Swagger UI, which comes from this server.

Swagger UI's files are those of the package flask-swagger-ui. Its page is not used: it has inline scripts, which the
content security policy refuses.
"""

from http import HTTPStatus
from importlib.metadata import version as version_of
from importlib.resources import files

from flask import Blueprint, Response, abort, send_from_directory

SWAGGER_UI = f"assets/swagger-ui-{version_of('flask-swagger-ui')}"
"""Where its files are: below /assets/ as all that browsers keep, by a version that makes them forget another one's."""
SWAGGER_UI_FILES = ("swagger-ui.css", "swagger-ui-bundle.js")
"""Those that the page needs."""

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


def add_documentation(routes: Blueprint, version: str) -> None:
    """The page and Swagger UI's files; `version`, the program's own, makes browsers forget the scripts of another."""
    page = _PAGE.format(swagger_ui=SWAGGER_UI, version=version)

    @routes.get("/docs")
    def documentation() -> str:
        return page

    @routes.get(f"/{SWAGGER_UI}/<path:name>")
    def swagger_ui(name: str) -> Response:
        if name not in SWAGGER_UI_FILES:
            abort(HTTPStatus.NOT_FOUND)
        return send_from_directory(str(files("flask_swagger_ui") / "dist"), name)
