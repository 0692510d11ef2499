"""The OpenAPI description, and the page that shows it."""

import json
import re
from pathlib import Path

import pytest

from api.contract.operations import operation_of
from api.resources.documentation import SWAGGER_UI
from app import create_app
from services.bootstrap import VERSION
from tests.api.described import COMMITTED, described, whole_interface
from tests.fakes import fake_dependencies

ASSETS = Path(__file__).parents[3] / "assets"
UNDESCRIBED = {"/docs"}
"""Routes that return pages rather than data."""


@pytest.fixture
def document() -> dict:
    return json.loads(described())


def test_the_committed_description_equals_the_generated_one() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == described(), "an accident, or `make openapi` is due"


def test_the_description_is_valid_openapi_3_1(document: dict) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == VERSION


def test_every_route_is_described(document: dict) -> None:
    server = whole_interface()
    rules = [(rule.rule, server.view_functions[rule.endpoint]) for rule in server.url_map.iter_rules()]

    assert {rule for rule, view in rules if operation_of(view) is None and "<path:" not in rule} == UNDESCRIBED
    listed = sum(len(methods) for methods in document["paths"].values())
    assert listed == sum(operation_of(view) is not None for _, view in rules)


def test_every_reference_can_be_resolved(document: dict) -> None:
    for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert reference in document["components"]["schemas"]


def test_every_query_parameter_is_described_with_its_bounds(document: dict) -> None:
    listed = {each["name"]: each for each in document["paths"]["/metrics"]["get"]["parameters"]}

    assert set(listed) == {"market", "base", "quote", "q", "sort", "fields", "limit", "offset", "format"}
    assert listed["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 10_000, "examples": [100]}
    assert listed["sort"]["schema"]["default"] == ["rank"]
    assert "-volatility" in listed["sort"]["schema"]["items"]["enum"]
    assert (listed["fields"]["style"], listed["fields"]["explode"]) == ("form", False)
    assert all(each["description"] for each in listed.values())


def test_every_tag_is_listed_once(document: dict) -> None:
    used = {tag for methods in document["paths"].values() for each in methods.values() for tag in each["tags"]}

    assert used == {each["name"] for each in document["tags"]}


def test_errors_are_described_as_problems(document: dict) -> None:
    for path, methods in document["paths"].items():
        for method, listed in methods.items():
            for status, answer in listed["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, method, status)


def test_routes_that_write_describe_their_refusals(document: dict) -> None:
    retry = document["paths"]["/alerts/deliveries/{number}/retry"]["post"]

    assert set(retry["responses"]) == {"200", "403", "404", "405", "409", "500", "503"}
    assert retry["parameters"][0]["schema"]["type"] == "integer"
    assert "post" not in document["paths"]["/metrics"]


def test_bodies_are_described_as_well_as_answers(document: dict) -> None:
    add, change = document["paths"]["/alerts/rules"]["post"], document["paths"]["/alerts/rules/{number}"]["patch"]
    schemas = document["components"]["schemas"]

    assert add["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/NewRule"}
    assert add["requestBody"]["required"]
    assert schemas["NewRule"]["required"] == ["name", "scope", "condition"]
    assert (schemas["NewRule"]["properties"]["cooldown_seconds"]["default"], "201" in add["responses"]) == (3600, True)
    assert "required" not in schemas["RuleChange"]
    assert "default" not in schemas["RuleChange"]["properties"]["cooldown_seconds"]
    assert {"404", "413", "415", "422"} < set(change["responses"])
    assert "content" not in document["paths"]["/alerts/rules/{number}"]["delete"]["responses"]["204"]


def test_the_description_is_sent_with_the_headers_of_every_response(client) -> None:
    answer = client.get("/openapi.json")

    assert answer.mimetype == "application/json"
    assert client.get("/openapi.json", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.post("/openapi.json").mimetype == "application/problem+json"


def test_the_page_loads_nothing_from_other_servers(client) -> None:
    page = client.get("/docs")

    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "://" not in page.text
    assert "<script>" not in page.text
    assert "style=" not in page.text
    named = re.findall(r'(?:src|href)="(assets/[^"?]+)', page.text)
    assert len(named) == 7
    swagger_ui = {path for path in named if path.startswith(SWAGGER_UI)}
    for path in set(named) - swagger_ui:
        assert (ASSETS.parent / path).is_file(), path
    assert len(swagger_ui) == 2
    for path in swagger_ui:
        with client.get(f"/{path}") as answer:
            assert answer.mimetype == ("text/css" if path.endswith(".css") else "text/javascript")


def test_swagger_ui_is_cached_for_a_year_and_only_its_needed_files_are_served() -> None:
    client = create_app(fake_dependencies()).server.test_client()

    with client.get(f"/{SWAGGER_UI}/swagger-ui.css") as answer:
        assert "max-age=31536000" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    for name in ("oauth2-redirect.html", "../__init__.py", "%2e%2e/__init__.py", "index.css"):
        with client.get(f"/{SWAGGER_UI}/{name}") as answer:
            assert answer.status_code == 404, name
