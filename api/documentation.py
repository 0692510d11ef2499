"""`/docs`: the description of the interface as a page, drawn by Swagger UI, which comes from this server."""

SWAGGER = "assets/vendor/swagger-ui-5.35.0"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · Data Tracker</title>
<link rel="icon" type="image/svg+xml" href="assets/favicon.svg">
<link rel="stylesheet" href="{swagger}/swagger-ui.css">
<link rel="stylesheet" href="assets/docs/docs.css?v={version}">
<script src="assets/docs/theme.js?v={version}"></script>
<script src="{swagger}/swagger-ui-bundle.js" defer></script>
<script src="assets/docs/docs.js?v={version}" defer></script>
</head>
<body>
<header class="docs-head"><a href="./"><img src="assets/favicon.svg" alt="" width="24" height="24">Data Tracker</a>
<span>API</span><a class="docs-file" href="openapi.json">openapi.json</a></header>
<main id="docs"><noscript>The page needs JavaScript; <a href="openapi.json">openapi.json</a> does not.</noscript></main>
</body>
</html>
"""


def documentation_page(version: str) -> str:
    """The page; `version` makes browsers forget the scripts of another one."""
    return _PAGE.format(swagger=SWAGGER, version=version)
