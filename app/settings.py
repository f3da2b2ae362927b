"""Every environment variable that Patchcord reads: typed, checked, read once at the start.

Rooms never import this module; main hands them plain values. `python -m app.settings` prints the README's table.
"""

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from app.errors import SettingsError

OWN_PREFIX = "PATCHCORD_"
SECRET_PREFIX = "PATCHCORD_TOOL_SECRET_"

# Of each sense: the vendor's key, its address, and the address of a server that takes its place.
_VENDORS = (
    ("deepgram_api_key", "deepgram_url", "stt_url"),
    ("anthropic_api_key", "anthropic_base_url", ""),
    ("elevenlabs_api_key", "elevenlabs_base_url", "tts_url"),
)

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class _WrongError(Exception):
    """A value that cannot be read: what is wrong with it, and an example of a right one."""

    def __init__(self, what: str, example: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.example = example


Reader = Callable[[str], Any]


def _token(text: str) -> str:
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise _WrongError("holds a space, a line break or a letter that no key has: copy it from the vendor's console")
    return text


def _host(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        if not text.replace("-", "").replace(".", "").isalnum():
            raise _WrongError("is more than the name or the address of a host", "127.0.0.1") from None
    return text


def _whole(lowest: int, highest: int, example: int) -> Reader:
    def read(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise _WrongError(f"is not a whole number from {lowest} to {highest}", str(example))
        return int(text)

    return read


def _seconds(highest: float, example: float) -> Reader:
    def read(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= highest:
            raise _WrongError(f"is not a number of seconds from 0 to {highest:g}", f"{example:g}")
        return seconds

    return read


def _choice(*words: str) -> Reader:
    def read(text: str) -> str:
        if text.lower() not in words:
            nearest = get_close_matches(text.lower(), words, n=1, cutoff=0.4) or words[:1]
            raise _WrongError(f"is none of {', '.join(words)}", nearest[0])
        return text.lower()

    return read


def _yes_or_no(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise _WrongError("is neither yes nor no", "yes")
    return text.lower() in _TRUE


def _url(schemes: tuple[str, ...], example: str) -> Reader:
    def read(text: str) -> str:
        try:
            parts = urlsplit(text)
            reachable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:  # a port that is no number, brackets that do not close
            reachable = False
        if not reachable or parts.scheme not in schemes or parts.query or parts.fragment:
            raise _WrongError(f"is not an address that begins with {' or '.join(s + '://' for s in schemes)}", example)
        return text.rstrip("/")

    return read


def _over_http(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="https" if parts.scheme in {"wss", "https"} else "http"))


def _over_websocket(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="wss" if parts.scheme in {"wss", "https"} else "ws"))


def _vendor_url(example: str) -> Reader:
    """A vendor may live anywhere; which of http and ws is needed is not the operator's business."""
    return _url(("https", "http", "wss", "ws"), example)


def _http_vendor_url(example: str) -> Reader:
    return lambda text: _over_http(_vendor_url(example)(text))


def _public_url(text: str) -> str:
    example = "https://phone.example.com"
    url: str = _url(("https", "http"), example)(text)
    parts = urlsplit(url)
    if parts.path or parts.username:
        raise _WrongError("is more than a scheme, a host and perhaps a port", example)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise _WrongError("is not https, and Twilio opens media sockets over TLS only", f"https://{parts.netloc}")
    return url


def _database_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    scheme = "postgresql" if scheme == "postgres" else scheme  # the short form that hosts of databases hand out
    if not separator or scheme not in {"sqlite", "sqlite+aiosqlite", "postgresql", "postgresql+asyncpg"}:
        raise _WrongError("is not the address of an SQLite or PostgreSQL database", "postgresql://user@host/patchcord")
    return f"{scheme}://{rest}"


def _redis_url(text: str) -> str:
    if not text.startswith(("redis://", "rediss://", "unix://")):
        raise _WrongError("is not the address of a Redis server", "redis://127.0.0.1:6379/0")
    return text


def _retention(text: str) -> Mapping[str, int]:
    days = {"transcripts": 90, "traces": 30, "recordings": 30, "calls": 730}
    for part in text.replace(",", " ").split():
        name, _, number = part.partition("=")
        if name not in days or not number.isdecimal():
            raise _WrongError(f"holds {part!r}; it names {', '.join(days)}, each with days", "transcripts=90 calls=0")
        days[name] = int(number)
    return MappingProxyType(days)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _setting(read: Reader, default: Any, meaning: str, *, shown: str = "", secret: bool = False) -> Any:
    """One variable. `shown` stands in the table where the default depends on other settings."""
    return field(repr=not secret, metadata={"read": read, "default": default, "meaning": meaning, "shown": shown})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decides, checked. Made by `Settings.read(os.environ)`; an empty variable counts as not set."""

    public_url: str = _setting(
        _public_url,
        "",
        "The address at which Twilio reaches this server, without a path; https, unless the host is loopback.",
        shown="http://`HOST`:`PORT`",
    )
    host: str = _setting(_host, "127.0.0.1", "The address to listen at; 0.0.0.0 listens to every network.")
    port: int = _setting(_whole(1, 65535, 8000), 8000, "The port to listen at.")
    data_dir: Path = _setting(Path, Path("var"), "The folder for traces, recordings and the default database.")
    database_url: str = _setting(
        _database_url,
        "",
        "Where calls and their costs are kept: `postgresql://…` or `sqlite:///…`.",
        shown="sqlite:///`DATA_DIR`/patchcord.db",
        secret=True,
    )
    redis_url: str = _setting(
        _redis_url,
        "",
        "Where live calls are kept so that another process can go on with them; without it, in this process alone.",
        secret=True,
    )
    twilio_account_sid: str = _setting(_token, "", "The Twilio account, for calls that we place or redirect.")
    twilio_auth_token: str = _setting(
        _token,
        "",
        "Twilio's secret, which signs every webhook; without it only a server on loopback starts, for its browser.",
        secret=True,
    )
    twilio_api_base: str = _setting(
        _http_vendor_url("http://127.0.0.1:9100"), "", "Another address for Twilio's REST interface."
    )
    deepgram_api_key: str = _setting(_token, "", "The key for hearing.", secret=True)
    deepgram_url: str = _setting(
        _vendor_url("wss://api.deepgram.com"), "wss://api.deepgram.com", "Where hearing is done."
    )
    anthropic_api_key: str = _setting(_token, "", "The key for thinking.", secret=True)
    anthropic_base_url: str = _setting(
        _http_vendor_url("https://api.anthropic.com"), "https://api.anthropic.com", "Where thinking is done."
    )
    elevenlabs_api_key: str = _setting(_token, "", "The key for speaking.", secret=True)
    elevenlabs_base_url: str = _setting(
        _vendor_url("https://api.elevenlabs.io"), "https://api.elevenlabs.io", "Where speaking is done."
    )
    stt_url: str = _setting(
        _http_vendor_url("http://127.0.0.1:9200"),
        "",
        "A server of your own with OpenAI's transcriptions, which hears in place of Deepgram.",
    )
    stt_api_key: str = _setting(_token, "", "Its key, if it wants one.", secret=True)
    stt_model: str = _setting(_token, "whisper-1", "The model that it is asked for.")
    tts_url: str = _setting(
        _http_vendor_url("http://127.0.0.1:9200"),
        "",
        "A server of your own with OpenAI's speech, which speaks in place of ElevenLabs.",
    )
    tts_api_key: str = _setting(_token, "", "Its key, if it wants one.", secret=True)
    tts_model: str = _setting(_token, "tts-1", "The model that it is asked for.")
    tts_voice: str = _setting(_token, "alloy", "The voice of agents that name none of its own (`local:NAME`).")
    ears_encoding: str = _setting(
        _choice("mulaw", "linear16"), "mulaw", "How sound goes to Deepgram: `mulaw` as it came, or `linear16`."
    )
    max_calls: int = _setting(_whole(1, 100_000, 150), 150, "The most calls at once; the next caller hears a sentence.")
    max_lag_seconds: float = _setting(
        _seconds(10, 0.05),
        0.05,
        "How late the event loop may be before no new call is let in beside those that are going on.",
    )
    drain_seconds: float = _setting(
        _seconds(86_400, 600), 600.0, "How long live calls may go on after the process was asked to stop."
    )
    allow_private_tools: bool = _setting(_yes_or_no, False, "Whether agents' HTTP tools may reach private addresses.")
    retention_days: Mapping[str, int] = _setting(
        _retention,
        MappingProxyType({"transcripts": 90, "traces": 30, "recordings": 30, "calls": 730}),
        "For how many days each class is kept, such as `transcripts=90 calls=0`; 0 keeps it for ever.",
        shown="transcripts=90 traces=30 recordings=30 calls=730",
    )
    log_level: str = _setting(_choice("debug", "info", "warning", "error"), "info", "The least grave message to log.")
    tool_secrets: Mapping[str, str] = _setting(
        _token,
        MappingProxyType({}),
        "A secret that the headers of agents' HTTP tools may name: `PATCHCORD_TOOL_SECRET_CRM` is `secret:CRM`.",
        secret=True,
    )

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Raises SettingsError with a sentence for every fault, one a line, all of them at once."""
        given = {name: value.strip() for name, value in environ.items() if value.strip()}
        faults: list[str] = []
        values = {f.name: _read_one(f, given, faults) for f in fields(cls) if f.name != "tool_secrets"}
        values["tool_secrets"] = _read_secrets(given, faults)
        faults += _unknown(given)
        if faults:
            raise SettingsError("\n".join(faults))
        values["public_url"] = values["public_url"] or f"http://{_authority(values['host'])}:{values['port']}"
        values["database_url"] = values["database_url"] or f"sqlite:///{values['data_dir']}/patchcord.db"
        return cls(**values)

    def require_serving(self) -> None:
        """Raises SettingsError unless a server can start with these: Twilio's webhooks are always verified.

        Without Twilio's secret they are all refused, and what is left is the softphone of a server on loopback.
        """
        faults = []
        on_loopback = _is_loopback(urlsplit(self.public_url).hostname or "")
        if not self.twilio_auth_token and (self.twilio_account_sid or not on_loopback):
            faults.append(
                "The environment variable TWILIO_AUTH_TOKEN is not set, and without it nobody can tell Twilio's "
                "requests from a stranger's: copy the auth token from Twilio's console."
            )
        if urlsplit(self.public_url).scheme == "http" and not on_loopback:
            faults.append(
                f"The environment variable PUBLIC_URL is not set while HOST is {self.host}, which is not loopback: "
                "write the address at which Twilio reaches this server, for example PUBLIC_URL=https://phone.example.com."
            )
        if faults:
            raise SettingsError("\n".join(faults))

    @property
    def without_vendors(self) -> bool:
        """No key of a vendor is set and no address leads to somebody in a vendor's place: we are on our own."""
        return not any(getattr(self, key) or self._is_elsewhere(url) for key, url, _ in _VENDORS)

    def missing_keys(self) -> tuple[str, ...]:
        """The keys of the vendors that will be asked and may refuse us for want of one."""
        if self.without_vendors:
            return ()
        asked = [key for key, _, instead in _VENDORS if not (instead and getattr(self, instead))]
        return tuple(key.upper() for key in asked if not getattr(self, key))

    def _is_elsewhere(self, url: str) -> bool:
        usual = next(f.metadata["default"] for f in fields(self) if f.name == url)
        return bool(getattr(self, url) != usual)

    @property
    def deepgram_http_url(self) -> str:
        return _over_http(self.deepgram_url)

    @property
    def deepgram_ws_url(self) -> str:
        return _over_websocket(self.deepgram_url)

    @property
    def elevenlabs_http_url(self) -> str:
        return _over_http(self.elevenlabs_base_url)

    @property
    def elevenlabs_ws_url(self) -> str:
        return _over_websocket(self.elevenlabs_base_url)


def table() -> str:
    """The settings as the README shows them."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for f in fields(Settings):
        name = SECRET_PREFIX + "*" if f.name == "tool_secrets" else f.name.upper()
        lines.append(f"| `{name}` | {_shown(f)} | {f.metadata['meaning']} |")
    return "\n".join(lines)


def _shown(setting: Field[Any]) -> str:
    default = setting.metadata["default"]
    if setting.metadata["shown"]:
        return str(setting.metadata["shown"])
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:g}" if isinstance(default, float) else str(default or "")


def _read_one(setting: Field[Any], given: Mapping[str, str], faults: list[str]) -> Any:
    name = setting.name.upper()
    if name not in given:
        return setting.metadata["default"]
    return _checked(name, given[name], setting.metadata["read"], faults, secret=not setting.repr)


def _read_secrets(given: Mapping[str, str], faults: list[str]) -> Mapping[str, str]:
    secrets = {}
    for name, value in given.items():
        if name.startswith(SECRET_PREFIX) and name != SECRET_PREFIX:
            secrets[name.removeprefix(SECRET_PREFIX)] = _checked(name, value, str, faults, secret=True)
    return MappingProxyType(secrets)


def _checked(name: str, value: str, read: Reader, faults: list[str], *, secret: bool) -> Any:
    try:
        return read(value)
    except _WrongError as wrong:
        shown = "" if secret else f"={value}"
        mend = f": write for example {name}={wrong.example}" if wrong.example else ""
        faults.append(f"The environment variable {name}{shown} {wrong.what}{mend}.")
        return None


def _unknown(given: Mapping[str, str]) -> list[str]:
    """Whatever carries our prefix is meant for us; a misspelt setting would otherwise be ignored in silence."""
    names = [f.name.upper() for f in fields(Settings) if f.name != "tool_secrets"]
    faults = []
    for name in sorted(given):
        if not name.startswith(OWN_PREFIX) or (name.startswith(SECRET_PREFIX) and name != SECRET_PREFIX):
            continue
        nearest = get_close_matches(name.removeprefix(OWN_PREFIX), [*names, "TOOL_SECRET_"], n=1, cutoff=0.5)
        meant = SECRET_PREFIX + "NAME" if nearest == ["TOOL_SECRET_"] else "".join(nearest)
        mend = f"did you mean {meant}?" if meant else "remove it, or look the name up in README.md."
        faults.append(f"The environment variable {name} is no setting of Patchcord: {mend}")
    return faults


def _authority(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    print(table())
