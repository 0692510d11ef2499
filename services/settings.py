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
"""A comma separates two entries only if a scheme or a name follows it. Any other comma is part of the address: a mail
address can list several receivers."""


class BadSettings(TrackerError):
    """The settings cannot be used; the text names each bad value."""


class FileSource(PydanticBaseSettingsSource):
    """Reads a setting from the file that `NAME_FILE` names, which is how orchestrators hand over secrets."""

    def __init__(self, settings_cls: type[BaseSettings], environment: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:  # noqa: ARG002
        """The file's text, stripped; None when no file is set. Raises BadSettings."""
        given = self._environment.get(f"{field_name}_file")
        if not given:
            return None, field_name, False
        name = field_name.upper()
        if self._environment.get(field_name):
            raise BadSettings(f"{name} and {name}_FILE: set only one of them")
        try:
            text = Path(given).read_text("utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            raise BadSettings(f"{name}_FILE: {given}: {reason}") from None
        if not text:
            raise BadSettings(f"{name}_FILE: {given}: is empty")
        return text, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: text for name, text in found.items() if text is not None}


class Settings(BaseSettings):
    """All settings. Each comes from the environment, in any letter case, or from the file that `NAME_FILE` names."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",  # some editors put a byte order mark before the first name
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    database_url: str | None = Field(None, repr=False, description="SQLAlchemy URL; Heroku's `postgres://` is accepted")
    redis_url: SecretStr | None = Field(None, description="shared cache and Celery broker")
    host: str = Field("127.0.0.1", description="address to serve on")
    port: int = Field(8888, ge=0, le=65_535, description="port to serve on; Heroku sets it")
    track: Annotated[tuple[TrackPattern, ...], NoDecode] = Field(
        SEED,
        validate_default=True,
        description="comma-separated `exchange:BASE/QUOTE` with wildcards `*` and `?`; exchange is a ccxt id or `demo`",
    )
    exchange_base_url: str | None = Field(
        None, description="mirror: each exchange request goes to `<this>/<full original url>`"
    )
    demo_pairs: int = Field(40, ge=1, le=200_000, description="number of pairs on the simulated exchange")
    period_seconds: int = Field(60, ge=5, le=3600, description="sampling period")
    window_hours: float = Field(24, gt=0, le=24 * 31, description="window of the standard deviation and of /prices")
    retention_days: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="age at which samples are removed; hourly rollups stay"
    )
    alert_factor: float = Field(
        3, gt=1, allow_inf_nan=False, description="a price above this many times its average fires an alert"
    )
    alert_window_minutes: int = Field(60, ge=1, le=7 * 1440, description="window of that average")
    alert_cooldown_minutes: int = Field(60, ge=0, le=7 * 1440, description="at most one alert per metric in this time")
    alert_min_samples: int = Field(5, ge=1, description="least number of prices in that average")
    notify_urls: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="comma-separated channels: Apprise URLs or webhook+https://..., each optionally as `name=URL`"
    )
    webhook_secret: SecretStr | None = Field(None, description="key for signing webhooks")
    webhook_allow_private: bool = Field(False, description="allow webhooks to this machine and to private networks")
    heartbeat_url: SecretStr | None = Field(None, description="URL to request after each tick that stored prices")
    scheduler: Literal["auto", "off"] = Field(
        "auto", description="`auto`: tick in this process while it holds the lease; `off`: never"
    )
    auth_username: str | None = Field(None, description="user name for HTTP basic authentication")
    auth_password: SecretStr | None = Field(None, description="its password; set both or neither")
    auth_proxy_header: str | None = Field(
        None, description="header in which a proxy at AUTH_PROXY_ADDRESSES names the authenticated user"
    )
    auth_proxy_addresses: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (), description="comma-separated addresses or networks of that proxy; the header is ignored from others"
    )
    proxy_hops: int = Field(0, ge=0, le=10, description="number of proxies in front whose X-Forwarded-* are trusted")
    url_prefix: str = Field("/", description="path below which a proxy serves the program, such as `/tracker/`")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="comma-separated host names that the server accepts; `.example.org` includes all subdomains"
    )
    rate_limit: int = Field(
        3000, ge=0, description="requests per minute and address or token, except from this machine; 0: no limit"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="lowest level that is logged")
    log_format: Literal["text", "json"] = Field("text", description="format of log lines, one per event")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - takes a folder; our files are set one by one
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments of the start, then the environment, then `.env`; each of the last two with its `NAME_FILE`s."""
        sources = [init_settings]
        for source in (env_settings, dotenv_settings):
            assert isinstance(source, EnvSettingsSource)
            sources += [source, FileSource(settings_cls, source.env_vars)]
        return tuple(sources)

    @field_validator("redis_url")
    @classmethod
    def _has_a_database_number(cls, value: SecretStr | None) -> SecretStr | None:
        # redis-py uses database 0 for any path that is not a number.
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

    # Of validators in mode "before", pydantic calls the last one first.
    @field_validator("*", mode="before")
    @classmethod
    def _is_not_blank(cls, value: object) -> object:
        if isinstance(value, str) and value.isspace():  # env_ignore_empty has removed empty ones
            raise ValueError("must not be blank")
        return value

    @field_validator("auth_proxy_header")
    @classmethod
    def _is_header(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", value):
            raise ValueError("is not a header name")
        return value

    @field_validator("url_prefix")
    @classmethod
    def _is_prefix(cls, value: str) -> str:
        if not re.fullmatch(r"/|(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?", value):
            raise ValueError("must begin with a slash and contain only letters, digits and . _ ~ -, such as /tracker/")
        return value.rstrip("/") + "/"

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not re.fullmatch(r"\.?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", name):
                raise ValueError(f"{name!r} is not a host name; leave out scheme, port and path")
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
            raise ValueError("WINDOW_HOURS: must be at least one period")
        if self.retention_days is not None and self.retention_days * 24 < self.window_hours:
            raise ValueError("RETENTION_DAYS: must be at least WINDOW_HOURS")
        if self.retention_days is not None and self.retention_days * 1440 < self.alert_window_minutes:
            raise ValueError("RETENTION_DAYS: must be at least ALERT_WINDOW_MINUTES")
        if len({pattern.market == "demo" for pattern in self.track}) > 1:
            raise ValueError("TRACK: simulated and real markets cannot be tracked together")
        return self

    @cached_property
    def simulated(self) -> bool:
        """True when the simulated exchange is tracked."""
        return all(pattern.market == "demo" for pattern in self.track)

    @property
    def database(self) -> str:
        """The database's URL; by default a SQLite file, a different one for real and for simulated data."""
        if self.database_url is None:
            return f"sqlite:///data/{'demo' if self.simulated else 'tracker'}.db"
        return self.database_url

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User name and password for HTTP basic authentication; None when unset."""
        if self.auth_username is None or self.auth_password is None:
            return None
        return self.auth_username, self.auth_password.get_secret_value()

    @property
    def on_loopback(self) -> bool:
        """True when only this machine can reach the server."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def exposed(self) -> bool:
        """True when other machines can reach the server and it authenticates nobody."""
        return not self.on_loopback and self.credentials is None and self.auth_proxy_header is None


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        raise ValueError("not a URL of the form redis://host:port/number") from None


def _parts(separator: str, text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(separator, text) if part.strip())


def read_settings(env_file: Path | None = Path(".env"), **overrides: object) -> Settings:
    """Settings from `overrides`, the environment and `env_file`, in this order of precedence.

    Raises BadSettings, which names every value that cannot be used.
    """
    try:
        return Settings(_env_file=env_file, **overrides)  # type: ignore[call-arg, arg-type]
    except UnicodeDecodeError:
        raise BadSettings(f"{env_file}: is not UTF-8 text") from None
    except ValidationError as error:
        problems = []
        for problem in error.errors(include_url=False):
            name = str(problem["loc"][0]).upper() if problem["loc"] else ""
            text = problem["msg"].removeprefix("Value error, ")
            is_secret = any(word in name.lower() for word in ("url", "auth", "secret"))
            given = "" if is_secret else f" (got {problem['input']!r:.60})"
            problems.append(f"{name}: {text}{given}" if name else text)
        raise BadSettings("; ".join(problems)) from None
