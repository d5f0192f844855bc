"""Where the service is and how it is reached, as the command line finds it too (client/settings.h)."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import pathlib
from collections.abc import Mapping

import yaml

from sasq import errors

DEFAULT_ENDPOINT = "127.0.0.1:7433"
DEFAULT_PORT = 7433
_KEYS = frozenset({"endpoint", "tls", "tls_ca", "tls_cert", "tls_key", "token", "token_file"})


@dataclasses.dataclass(frozen=True)
class Settings:
    """Empty: not said."""

    endpoint: str = ""
    tls: bool = False  # also where a file is named; without tls_ca: the authorities of gRPC
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    token: str = dataclasses.field(default="", repr=False)

    @property
    def uses_tls(self) -> bool:
        return self.tls or bool(self.tls_ca or self.tls_cert or self.tls_key)


def resolve(given: Settings) -> Settings:
    """Each setting on its own: as given, else of the environment, else of the config file, whose token is for
    its endpoint alone. Raises a SasqError for a file that cannot be used, and for a token that would go to
    another machine without TLS."""
    config = _read_config()
    environment = os.environ

    def first(name: str) -> str:
        value: str = getattr(given, name) or environment.get(f"SASQ_{name.upper()}") or config.get(name, "")
        return value

    endpoint = _with_port(first("endpoint") or DEFAULT_ENDPOINT)
    token = given.token or environment.get("SASQ_TOKEN") or _read_token(environment.get("SASQ_TOKEN_FILE"))
    if not token and _with_port(config.get("endpoint") or endpoint) == endpoint:
        token = config.get("token") or _read_token(config.get("token_file"))
    found = Settings(endpoint, given.tls or _is_on("SASQ_TLS", environment.get("SASQ_TLS", ""))
                     or _is_on("tls", config.get("tls", "")),
                     first("tls_ca"), first("tls_cert"), first("tls_key"), token)
    if bool(found.tls_cert) != bool(found.tls_key):
        raise errors.SasqError("tls_cert and tls_key are wanted together; only one of them is named")
    if found.token and not found.uses_tls and not is_loopback(endpoint):
        raise errors.SasqError(f"the token would go to {endpoint} in the clear; say with tls or tls_ca that TLS "
                               "protects it")
    return found


def is_loopback(endpoint: str) -> bool:
    """Whether only this machine reaches `endpoint`."""
    if endpoint.startswith("unix:"):
        return True
    host = endpoint.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_file(path: str) -> bytes | None:
    """What a file of TLS holds; None where there is no path."""
    if not path:
        return None
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise errors.SasqError(f"cannot read {path}: {error.strerror}") from None


def _with_port(endpoint: str) -> str:
    return endpoint if ":" in endpoint else f"{endpoint}:{DEFAULT_PORT}"


def _is_on(name: str, value: str) -> bool:
    if value.lower() not in ("", "0", "1", "false", "true"):
        raise errors.SasqError(f'{name} is "{value}", want true or false')
    return value.lower() in ("1", "true")


def _read_token(path: str | None) -> str:
    return (read_file(path or "") or b"").decode("ascii", "replace").strip()


def _read_config() -> Mapping[str, str]:
    """The settings of the command line's config file, if there is one."""
    named = os.environ.get("SASQ_CONFIG")
    path = pathlib.Path(named) if named else pathlib.Path.home() / ".config" / "sasq" / "config.yaml"
    if not named and not path.exists():
        return {}
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise errors.SasqError(f"the config file cannot be used: {path}: {error}") from None
    if config is None:
        return {}
    if not isinstance(config, dict) or not set(config) <= _KEYS or not all(
            isinstance(value, (str, bool)) for value in config.values()):
        raise errors.SasqError(f"{path} holds something else than lines such as `endpoint: HOST:PORT`; the keys "
                               f"are {', '.join(sorted(_KEYS))}")
    return {key: str(value) for key, value in config.items()}
