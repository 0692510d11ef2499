"""`/alerts/deliveries` and `/alerts/channels`: messages, their delivery status, and testing a channel."""

from http import HTTPStatus

from flask import Blueprint, Response

from api.contract.identifiers import RECORD_NUMBER
from api.contract.operations import JSON, Operation, operation
from api.contract.queries import DeliveriesQuery, read_query
from api.contract.schemas import Channels, DeliveryList, OneDelivery, Tested
from api.resources.context import RouteContext
from api.responses.bodies import Body, alert_body, iso
from api.responses.cached_response import encode, send, send_once
from api.responses.paging import PAGE_HEADERS, paging
from services.market.alerting.messages import Delivery

CHANNELS = Operation(
    name="channels", summary="The channels that alerts are sent to.", tag="Alerts", answers={JSON: Channels}
)
TEST_CHANNEL = Operation(
    name="try_channel",
    summary="Send a test message to one channel, and wait for the result.",
    tag="Alerts",
    answers={JSON: Tested},
    problems={
        HTTPStatus.NOT_FOUND: "No such channel.",
        HTTPStatus.BAD_GATEWAY: "The channel did not accept the message.",
    },
    cached=False,
)
DELIVERIES = Operation(
    name="deliveries",
    summary="The messages to all channels, newest first.",
    tag="Alerts",
    answers={JSON: DeliveryList},
    query=DeliveriesQuery,
    headers=PAGE_HEADERS,
)
RETRY = Operation(
    name="retry_delivery",
    summary="Retry a failed message for another day.",
    tag="Alerts",
    answers={JSON: OneDelivery},
    problems={
        HTTPStatus.NOT_FOUND: "No such message.",
        HTTPStatus.CONFLICT: "The message has not failed.",
    },
    cached=False,
)


def blueprint(context: RouteContext) -> Blueprint:
    routes = Blueprint("deliveries", __name__)
    deliveries, clock = context.dependencies.deliveries, context.dependencies.clock

    @routes.get("/alerts/channels")
    @operation(CHANNELS)
    def channels() -> Response:
        return send(encode({"channels": list(deliveries.channels)}))

    @routes.post("/alerts/channels/<name>/test")
    @operation(TEST_CHANNEL)
    def test_channel(name: str) -> Response:
        deliveries.try_out(name, clock())
        return send_once({"channel": name, "accepted": True})

    @routes.get("/alerts/deliveries")
    @operation(DELIVERIES)
    def newest() -> Response:
        query = read_query(DeliveriesQuery)
        found = deliveries.newest(query.limit, query.state, query.offset)
        response = send(encode({"deliveries": [delivery_body(one) for one in found]}))
        response.headers.update(paging(query, deliveries.count(query.state)))
        return response

    @routes.post(f"/alerts/deliveries/{RECORD_NUMBER}/retry")
    @operation(RETRY)
    def retry(number: int) -> Response:
        return send_once({"delivery": delivery_body(deliveries.retry(number, clock()))})

    return routes


def delivery_body(delivery: Delivery) -> Body:
    """One message and its delivery status."""
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
        "due_at": iso(delivery.due_at) if delivery.state == "queued" else None,
        "sent_at": iso(delivery.sent_at),
    }
