"""The routes of what is sent: how messages do, trying one again, testing a channel."""

from datetime import datetime
from http import HTTPStatus

from flask import Blueprint, Flask, Response

from api.contract.metric_keys import MAX_METRIC_ID
from api.contract.operations import JSON, Operation, operation
from api.contract.queries import DeliveriesQuery, read_query
from api.contract.schemas import Channels, DeliveryList, OneDelivery, Tested
from api.responses.bodies import Body, alert_body, iso
from api.responses.cached_response import CachedResponses, send, send_once
from api.responses.paging import PAGE_HEADERS, paging
from api.responses.problems import NOT_FOUND, problem
from services.market.alerting.messages import Delivery
from services.market.errors import DeliveryFailed, NotFailed, UnknownChannel, UnknownDelivery
from services.market.ports import Clock, Deliveries


def mount_deliveries(server: Flask, deliveries: Deliveries, clock: Clock) -> None:
    """Add the routes to `server`, which tells the time by `clock`."""
    server.register_blueprint(_blueprint(deliveries, clock))

    @server.errorhandler(UnknownChannel)
    @server.errorhandler(UnknownDelivery)
    def unknown(error: UnknownChannel | UnknownDelivery) -> Response:
        return problem(HTTPStatus.NOT_FOUND, str(error), NOT_FOUND)

    @server.errorhandler(NotFailed)
    def not_failed(error: NotFailed) -> Response:
        return problem(HTTPStatus.CONFLICT, str(error), "Not failed")

    @server.errorhandler(DeliveryFailed)
    def delivery_failed(error: DeliveryFailed) -> Response:
        return problem(HTTPStatus.BAD_GATEWAY, str(error), "Not accepted")


def _blueprint(deliveries: Deliveries, clock: Clock) -> Blueprint:
    routes = Blueprint("deliveries", __name__, url_prefix="/alerts")

    @routes.get("/channels")
    @operation(
        Operation(
            name="channels",
            summary="The channels that alerts go to.",
            tag="Alerts",
            answers={JSON: Channels},
        )
    )
    def channels() -> Response:
        return _answer({"channels": list(deliveries.channels)})

    @routes.post("/channels/<name>/test")
    @operation(
        Operation(
            name="try_channel",
            summary="Send a test to one channel, and tell what came of it.",
            tag="Alerts",
            answers={JSON: Tested},
            problems={
                HTTPStatus.NOT_FOUND: "No such channel.",
                HTTPStatus.BAD_GATEWAY: "The channel has not accepted it.",
            },
            cached=False,
        )
    )
    def test(name: str) -> Response:
        deliveries.try_out(name, clock())
        return send_once({"channel": name, "accepted": True})

    @routes.get("/deliveries")
    @operation(
        Operation(
            name="deliveries",
            summary="The messages that channels were owed, newest first.",
            tag="Alerts",
            answers={JSON: DeliveryList},
            query=DeliveriesQuery,
            headers=PAGE_HEADERS,
        )
    )
    def newest() -> Response:
        query = read_query(DeliveriesQuery)
        found = deliveries.newest(query.limit, query.state, query.offset)
        answer = _answer({"deliveries": [delivery_body(one) for one in found]})
        answer.headers.update(paging(query, deliveries.count(query.state)))
        return answer

    @routes.post(f"/deliveries/<int(max={MAX_METRIC_ID}):number>/retry")
    @operation(
        Operation(
            name="retry_delivery",
            summary="Try one that has failed for another day.",
            tag="Alerts",
            answers={JSON: OneDelivery},
            problems={
                HTTPStatus.NOT_FOUND: "No such message.",
                HTTPStatus.CONFLICT: "It has not failed.",
            },
            cached=False,
        )
    )
    def retry(number: int) -> Response:
        return send_once({"delivery": delivery_body(deliveries.retry(number, clock()))})

    return routes


def delivery_body(delivery: Delivery) -> Body:
    """One message: what it tells, and how it does."""
    return {
        "id": delivery.id,
        "channel": delivery.channel,
        "state": delivery.state,
        "title": delivery.title,
        "fired": delivery.fired,
        "resolved": delivery.resolved,
        "first": alert_body(delivery.first.alert),
        "attempts": delivery.attempts,
        "error": delivery.error,
        "created_at": iso(delivery.created_at),
        "due_at": _moment(delivery.due_at) if delivery.state == "queued" else None,
        "sent_at": _moment(delivery.sent_at),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _answer(body: Body) -> Response:
    return send(CachedResponses(1).get("", 0, lambda: body))
