"""The settings without secrets: harmless values as they are, the others only as set or unset."""

from typing import Any, Literal, get_origin

from services.market.status import ShownSetting
from services.settings import Settings
from services.store.database.engine import shown_url

PLAIN_TEXTS = ("host", "track", "url_prefix")
"""Text settings that hold no secret. Any other one is hidden."""

SET, UNSET = "set", "unset"


def shown_settings(settings: Settings) -> tuple[ShownSetting, ...]:
    """All settings without secrets, in the order of declaration. Raises BadDatabaseUrl."""
    return tuple(
        ShownSetting(name.upper(), _shown(settings, name), name not in settings.model_fields_set)
        for name in type(settings).model_fields
    )


def _shown(settings: Settings, name: str) -> str:
    value: Any = getattr(settings, name)
    if name == "database_url":
        url = shown_url(settings.database)
        return url.partition(":")[0] if settings.exposed else url  # anyone can read the page of an exposed server
    if value in (None, ()):
        return UNSET
    if name == "exchange_base_url":
        return _origin(value)
    if name == "track":
        return ", ".join(map(str, value))
    is_plain = isinstance(value, int | float) or get_origin(type(settings).model_fields[name].annotation) is Literal
    if is_plain or name in PLAIN_TEXTS:
        return f"{value:g}" if isinstance(value, float) else str(value)
    return SET


def _origin(url: str) -> str:
    """Scheme, host and port of a URL; the rest may hold a secret."""
    scheme, _, rest = url.partition("://")
    host = rest.rpartition("@")[2]
    for end in "/?#":
        host = host.partition(end)[0]
    return f"{scheme}://{host}"
