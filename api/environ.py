"""Keys of a request's WSGI environment, in which server, middleware and routes pass values to each other."""

PEER = "data_tracker.peer"
"""The address at the other end of the connection, before `X-Forwarded-For` is applied."""

UNREADABLE_ADDRESS = "data_tracker.unreadable_address"
"""Set if the proxy names no readable address: the request counts as the proxy's own."""

VISITOR = "data_tracker.visitor"
"""The Visitor whom the guard has let in."""

BODY = "data_tracker.body"
"""The state of a body that has not been received, one of the four below; missing once it has."""
AWAITED = "awaited"
"""The body is not read yet: the guard decides whether it will be."""
LATE = "late"
"""The body did not arrive in time."""
TOO_LARGE = "too large"
BUSY = "busy"
"""No thread, or no memory, is free for the request."""

CLIENT_GONE = "data_tracker.client_gone"
"""A function that returns whether the client has disconnected; set by our own server."""

LIVE = "data_tracker.live"
"""An iterator of live events. Each step returns what is new since the last one, b"" for nothing, and never blocks. The
server may poll it in place of the response's body."""
LIVE_POLL_SECONDS = 0.5
"""Seconds between two polls. A viewer may lag behind by as much, in addition to the age of the reader's cache."""

CACHEABLE = "data_tracker.cacheable"
"""A pair (Present, CachedResponse): the response, and the state of the market in which it may be sent again."""
