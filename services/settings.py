"""The only reader of the environment and of `.env`."""

import re
from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from services.market.errors import TrackerError
from services.market.times import HOUR
from services.market.track import TrackPattern, parse_track

SEED = ",".join(
    f"kraken:{base}/USD" for base in ("BTC", "ETH", "BNB", "AVAX", "SOL", "FIL", "ETC", "NEAR", "DOT", "XRP")
)
SIMULATED_TRACK = "demo:*"

_BETWEEN_CHANNELS = r"(?i)\n|,(?=\s|,|$|[a-z][a-z0-9+.-]*:/|[a-z][a-z0-9_-]{0,31}=)"
"""A comma ends an address where the next one begins after it, with a scheme or a name; others are part of it: mail
addresses name several receivers so."""


class BadSettings(TrackerError):
    """The environment does not make a working program; the text names each bad value."""


class FileSource(PydanticBaseSettingsSource):
    """Settings that stand in files of their own, as orchestrators hand over secrets: `NAME_FILE` is where."""

    def __init__(self, settings_cls: type[BaseSettings], environment: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:  # noqa: ARG002
        """What the file says, without the line's end. Raises BadSettings."""
        given = self._environment.get(f"{field_name}_file")
        if not given:
            return None, field_name, False
        name = field_name.upper()
        if self._environment.get(field_name):
            raise BadSettings(f"{name} and {name}_FILE: set one of them")
        try:
            text = Path(given).read_text("utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not a text in UTF-8"
            raise BadSettings(f"{name}_FILE: {given}: {reason}") from None
        if not text:
            raise BadSettings(f"{name}_FILE: {given}: is empty")
        return text, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: text for name, text in found.items() if text is not None}


class Settings(BaseSettings):
    """Everything an operator may set. Names are those of the environment, in any case; `NAME_FILE` names a file."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",  # some editors put a byte order mark before the first name
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    database_url: str | None = Field(None, repr=False, description="SQLAlchemy URL; Heroku's `postgres://` is accepted")
    redis_url: SecretStr | None = Field(None, description="shared cache and Celery broker when set")
    host: str = Field("127.0.0.1", description="address to serve on")
    port: int = Field(8888, ge=0, le=65_535, description="port to serve on; Heroku sets it")
    track: Annotated[tuple[TrackPattern, ...], NoDecode] = Field(
        SEED,
        validate_default=True,
        description="comma-separated `exchange:BASE/QUOTE`, `*` and `?` match; exchange is a ccxt id or `demo`",
    )
    exchange_base_url: str | None = Field(
        None, description="mirror: each exchange request goes to `<this>/<full original url>`"
    )
    demo_pairs: int = Field(40, ge=1, le=200_000, description="how many pairs the simulated exchange has")
    period_seconds: int = Field(60, ge=5, le=3600, description="sampling period")
    window_hours: float = Field(24, gt=0, le=24 * 31, description="window of stdev and of /prices")
    retention_days: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="samples at full resolution; hourly rollups stay"
    )
    alert_factor: float = Field(
        3, gt=1, allow_inf_nan=False, description="a price above this many times its average alerts"
    )
    alert_window_minutes: int = Field(60, ge=1, le=7 * 1440, description="span of that average")
    alert_cooldown_minutes: int = Field(60, ge=0, le=7 * 1440, description="one alert a metric in this time")
    alert_min_samples: int = Field(5, ge=1, description="prices that the average must rest on")
    notify_urls: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="channels, comma-separated: Apprise URLs or webhook+https://..., each as `name=` says"
    )
    webhook_secret: SecretStr | None = Field(None, description="what webhooks are signed with")
    webhook_allow_private: bool = Field(False, description="webhooks may go to this machine and its network")
    heartbeat_url: SecretStr | None = Field(None, description="asked for after each good tick")
    scheduler: Literal["auto", "off"] = Field(
        "auto", description="`auto`: tick in this process if it holds the lease; `off`: never"
    )
    auth_username: str | None = Field(None, description="HTTP basic for everything but /healthz and /readyz")
    auth_password: SecretStr | None = Field(None, description="its password; both or neither")
    auth_proxy_header: str | None = Field(
        None, description="header in which a proxy at AUTH_PROXY_ADDRESSES names the user it has let in"
    )
    auth_proxy_addresses: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (), description="comma-separated addresses or networks of that proxy; from elsewhere the header means nothing"
    )
    proxy_hops: int = Field(0, ge=0, le=10, description="proxies before the server whose X-Forwarded-* are believed")
    url_prefix: str = Field("/", description="path below which a proxy serves it, as `/tracker/`")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma-separated names that the server answers to; one that begins with a dot is for all below"
    )
    rate_limit: int = Field(
        3000, ge=0, description="requests a minute of one address or token, but from this machine; 0: no limit"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least severity logged")
    log_format: Literal["text", "json"] = Field("text", description="`text` or `json`, a line an event")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a folder of files; ours are named one by one
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the start names, then the environment, then `.env`; each of the last two with its files."""
        sources = [init_settings]
        for source in (env_settings, dotenv_settings):
            assert isinstance(source, EnvSettingsSource)
            sources += [source, FileSource(settings_cls, source.env_vars)]
        return tuple(sources)

    @field_validator("redis_url")
    @classmethod
    def _has_a_database_number(cls, value: SecretStr | None) -> SecretStr | None:
        # redis-py takes database 0 for any path that is no number.
        url = "" if value is None else value.get_secret_value()
        if url.startswith(("redis://", "rediss://")) and not re.fullmatch(r"/?|/[0-9]{1,4}", _path_of(url)):
            raise ValueError("not a URL of the form redis://host:port/number")
        return value

    @field_validator("track", mode="before")
    @classmethod
    def _parse_track(cls, value: object) -> object:
        return parse_track(value) if isinstance(value, str) else value

    @field_validator("notify_urls", mode="before")
    @classmethod
    def _split_channels(cls, value: object) -> object:
        return _parts(_BETWEEN_CHANNELS, value) if isinstance(value, str) else value

    @field_validator("auth_proxy_addresses", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(r"[,\n]", value) if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    # Of those before the fields' own, the last one is asked first.
    @field_validator("*", mode="before")
    @classmethod
    def _is_not_blank(cls, value: object) -> object:
        if isinstance(value, str) and value.isspace():  # an empty one counts as none before this
            raise ValueError("must not be blank")
        return value

    @field_validator("auth_proxy_header")
    @classmethod
    def _is_header(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", value):
            raise ValueError("is not the name of a header")
        return value

    @field_validator("url_prefix")
    @classmethod
    def _is_prefix(cls, value: str) -> str:
        if not re.fullmatch(r"/|(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?", value):
            raise ValueError("must be a path that begins with a slash, as /tracker/, of letters, digits and . _ ~ -")
        return value.rstrip("/") + "/"

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not re.fullmatch(r"\.?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", name):
                raise ValueError(f"{name!r} is not the name of a host; neither scheme, port nor path belong to one")
        return tuple(name.lower() for name in value)

    @field_validator("exchange_base_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return None if value is None else value.rstrip("/")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.auth_username is None) != (self.auth_password is None):
            raise ValueError("AUTH_USERNAME and AUTH_PASSWORD: set both or neither")
        if self.auth_username is not None and ":" in self.auth_username:
            raise ValueError("AUTH_USERNAME: must not contain a colon")
        if (self.auth_proxy_header is None) != (not self.auth_proxy_addresses):
            raise ValueError("AUTH_PROXY_HEADER and AUTH_PROXY_ADDRESSES: set both or neither")
        if round(self.window_hours * HOUR) < self.period_seconds:
            raise ValueError("WINDOW_HOURS: must hold at least one period")
        if self.retention_days is not None and self.retention_days * 24 < self.window_hours:
            raise ValueError("RETENTION_DAYS: must hold the window")
        if self.retention_days is not None and self.retention_days * 1440 < self.alert_window_minutes:
            raise ValueError("RETENTION_DAYS: must hold ALERT_WINDOW_MINUTES")
        if len({pattern.market == "demo" for pattern in self.track}) > 1:
            raise ValueError("TRACK: simulated and real markets cannot be tracked together")
        return self

    @cached_property
    def simulated(self) -> bool:
        """Whether what is tracked is the built-in simulated exchange."""
        return all(pattern.market == "demo" for pattern in self.track)

    @property
    def database(self) -> str:
        """The database's URL: as set, or a file of its own for real and for simulated data."""
        if self.database_url is None:
            return f"sqlite:///data/{'demo' if self.simulated else 'tracker'}.db"
        return self.database_url

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User name and password that the server asks for, if any."""
        if self.auth_username is None or self.auth_password is None:
            return None
        return self.auth_username, self.auth_password.get_secret_value()

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def exposed(self) -> bool:
        """Whether the server is reached from elsewhere, and asks nobody for a name."""
        return not self.on_loopback and self.credentials is None and self.auth_proxy_header is None


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        raise ValueError("not a URL of the form redis://host:port/number") from None


def _parts(between: str, text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(between, text) if part.strip())


def read_settings(env_file: Path | None = Path(".env"), **overrides: object) -> Settings:
    """Settings from `env_file`, the environment and `overrides`, the later over the earlier.

    Raises BadSettings with a line for each value that cannot be used.
    """
    try:
        return Settings(_env_file=env_file, **overrides)  # type: ignore[call-arg, arg-type]
    except UnicodeDecodeError:
        raise BadSettings(f"{env_file}: is not a text in UTF-8") from None
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_url=False):
            name = str(problem["loc"][0]).upper() if problem["loc"] else ""
            text = problem["msg"].removeprefix("Value error, ")
            is_secret = any(word in name.lower() for word in ("url", "auth", "secret"))
            given = "" if is_secret else f" (got {problem['input']!r:.60})"
            lines.append(f"{name}: {text}{given}" if name else text)
        raise BadSettings("; ".join(lines)) from None
