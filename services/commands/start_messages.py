"""The log lines of a server that starts: its address, and a warning if it is open to everybody."""

import logging

from services.settings import Settings

OWN_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""The address for a browser on this machine, by the address that the server listens on."""

log = logging.getLogger("data_tracker")


def shown_host(host: str) -> str:
    """`host` as it is written before a port."""
    return f"[{host}]" if ":" in host else host


def log_address(settings: Settings) -> None:
    """Log the address of the dashboard for a browser on this machine."""
    log.info(
        "serving: open http://%s:%s%s in a browser%s",
        shown_host(OWN_ADDRESSES.get(settings.host, settings.host)),
        settings.port,
        settings.url_prefix.rstrip("/") and settings.url_prefix,
        " (simulated data)" * settings.simulated,
    )


def warn_if_exposed(settings: Settings) -> None:
    """Log a warning if other machines reach the server without a password."""
    if settings.exposed:
        log.warning(
            "OPEN TO EVERYBODY: %s is reachable from other machines, and no password is required; set AUTH_USERNAME"
            " and AUTH_PASSWORD, or AUTH_PROXY_HEADER and AUTH_PROXY_ADDRESSES, or serve on 127.0.0.1",
            settings.host,
        )
