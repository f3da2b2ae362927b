"""Deepgram's sockets, /v1/listen (nova-3) and /v2/listen (Flux): what they accept, what they refuse, what they bill."""

import itertools
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

from ops.lab.door import CREDENTIAL_REFUSED, Socket, Talk, clock
from ops.lab.hearing import Flux, FluxOptions, Nova, NovaOptions
from ops.lab.profile import Faults, Profile, Spread
from ops.lab.stamps import HearingWatch, Stamps

Query = Iterable[tuple[str, str]]
_PATIENCE = 10.0  # seconds without audio and without KeepAlive, by the vendor's decree
_KEPT = 2000  # sockets whose account is kept
_V1 = """
    callback callback_method channels detect_entities diarize diarize_model dictation encoding endpointing extra
    filler_words interim_results keyterm keywords language language_hint mip_opt_out model multichannel no_delay
    numerals profanity_filter punctuate redact replace sample_rate search smart_format tag utterance_end_ms vad_events
    version
"""
_V2 = """
    model encoding sample_rate eot_threshold eager_eot_threshold eot_timeout_ms keyterm tag mip_opt_out language_hint
    numerals profanity_filter
"""
_PARAMETERS = {"/v1/listen": frozenset(_V1.split()), "/v2/listen": frozenset(_V2.split())}
_ENCODINGS = ("mulaw", "linear16")


class Unheard(ValueError):
    """An address that Deepgram answers with 400."""


def nova_options(query: Query) -> NovaOptions:
    """What a /v1/listen address asks for. Raises `Unheard` for what Deepgram would not take."""
    given = _given("/v1/listen", query)
    model = given.get("model", "base")
    if model.split("-")[0] not in ("nova", "base", "enhanced", "whisper"):
        raise Unheard("No such model/language/tier combination found.")
    if "keyterm" in given and not model.startswith("nova-3"):
        raise Unheard("keyterm is only supported by nova-3.")
    if "keywords" in given and model.startswith("nova-3"):
        raise Unheard("keywords is not supported by nova-3; use keyterm.")
    interims = _flag(given, "interim_results")
    utterance_end = None
    if "utterance_end_ms" in given:
        utterance_end = _number(given, "utterance_end_ms", 1000, 5000) / 1000
        if not interims:
            raise Unheard("utterance_end_ms requires interim_results=true.")
    endpointing: float | None = 0.01
    if given.get("endpointing", "").lower() == "false":
        endpointing = None
    elif given.get("endpointing", "true").lower() != "true":
        endpointing = _number(given, "endpointing", 10, 10_000) / 1000
    return NovaOptions(
        encoding=_encoding(given),
        model=model,
        interim_results=interims,
        endpointing=endpointing,
        utterance_end=utterance_end,
        vad_events=_flag(given, "vad_events"),
        punctuate=_flag(given, "punctuate") or _flag(given, "smart_format"),
    )


def flux_options(query: Query) -> FluxOptions:
    """What a /v2/listen address asks for. Raises `Unheard` for what Deepgram would not take."""
    pairs = list(query)
    given = _given("/v2/listen", pairs)
    if given.get("model") not in ("flux-general-en", "flux-general-multi"):
        raise Unheard("model must be flux-general-en or flux-general-multi.")
    eager = _number(given, "eager_eot_threshold", 0.3, 0.9) if "eager_eot_threshold" in given else None
    threshold = _number(given, "eot_threshold", 0.5, 1.0, 0.7)
    if eager is not None and eager > threshold:
        raise Unheard("eager_eot_threshold must not exceed eot_threshold.")
    return FluxOptions(
        encoding=_encoding(given),
        model=given["model"],
        eot_threshold=threshold,
        eager_eot_threshold=eager,
        eot_timeout=_number(given, "eot_timeout_ms", 500, 60_000, 5000) / 1000,
        keyterms=tuple(value for name, value in pairs if name == "keyterm"),
    )


def _given(path: str, query: Query) -> dict[str, str]:
    given = dict(query)
    unknown = sorted(set(given) - _PARAMETERS[path])
    if unknown:
        raise Unheard(f"Unknown query parameter: {', '.join(unknown)}.")
    return given


def _flag(given: dict[str, str], name: str) -> bool:
    text = given.get(name, "false").lower()
    if text not in ("true", "false"):
        raise Unheard(f"{name} must be true or false.")
    return text == "true"


def _number(given: dict[str, str], name: str, least: float, most: float, default: float = 0.0) -> float:
    try:
        value = float(given.get(name, default))
    except ValueError:
        raise Unheard(f"{name} must be a number.") from None
    if not least <= value <= most:
        raise Unheard(f"{name} must be from {least} to {most}.")
    return value


def _encoding(given: dict[str, str]) -> str:
    """ "" for sound in a container, which the vendor takes and no telephone sends."""
    encoding = given.get("encoding", "")
    if not encoding:
        return ""
    if encoding not in _ENCODINGS:
        raise Unheard(
            f"Unknown encoding, or none that this lab hears: {encoding}. It hears {' and '.join(_ENCODINGS)}."
        )
    if given.get("sample_rate") != "8000" or given.get("channels", "1") != "1":
        raise Unheard("encoding needs a sample_rate, and this lab hears 8000 Hz and one channel only.")
    return encoding


class NovaSide:
    """The machine of one /v1/listen socket: nova-3, its commands, and its patience."""

    def __init__(self, model: Nova, now: float) -> None:
        self.model = model
        self.closing: tuple[int, str] | None = None
        self._heard_from = now
        self._owed: list[dict[str, Any]] = []

    def deadline(self) -> float | None:
        due = self.model.deadline()
        patience = 0.0 if self._owed or self.closing else self._heard_from + _PATIENCE
        return patience if due is None else min(due, patience)

    def poll(self, now: float) -> list[dict[str, Any]]:
        messages = [*self.model.poll(now), *self._owed]
        self._owed = []
        if self.closing is None and now >= self._heard_from + _PATIENCE:
            self.closing = (1011, "NET-0001: no audio data and no text message within the timeout window")
        return messages

    def take(self, message: str | bytes, now: float) -> None:
        if self.closing is not None:
            return
        self._heard_from = now
        if isinstance(message, bytes) and message:
            self._hear(message, now)
        elif isinstance(message, bytes):
            self._finish(now)
        else:
            self._command(_parsed(message), now)

    def _hear(self, audio: bytes, now: float) -> None:
        if self.model.options.encoding:
            self.model.receive(audio, now)
        else:
            self.closing = (1008, "DATA-0000: the payload cannot be decoded as audio")

    def _finish(self, now: float) -> None:
        self._owed += self.model.finish(now)
        self.closing = (1000, "")

    def _command(self, command: dict[str, Any], now: float) -> None:
        kind = command.get("type")
        if kind == "Finalize":
            self.model.finalize(now)
        elif kind == "CloseStream":
            self._finish(now)
        elif kind == "Configure":
            self._owed.append({"type": "ConfigureSuccess", "keyterms": command.get("keyterms", [])})
        elif kind != "KeepAlive":
            what = f"unknown message type: {kind}"
            self._owed.append({"type": "Error", "variant": "SchemaError", "description": what, "message": what})
            self.closing = (1008, "DATA-0000: a text message that is no command")


class FluxSide:
    """The machine of one /v2/listen socket: Flux, its commands, and its patience."""

    def __init__(self, model: Flux, now: float) -> None:
        self.model = model
        self.closing: tuple[int, str] | None = None
        self._heard_from = now
        self._owed: list[dict[str, Any]] = [model.connected()]

    def deadline(self) -> float | None:
        due = self.model.deadline()
        patience = 0.0 if self._owed or self.closing else self._heard_from + _PATIENCE
        return patience if due is None else min(due, patience)

    def poll(self, now: float) -> list[dict[str, Any]]:
        messages, self._owed = self._owed, []
        messages += self.model.poll(now)
        if self.closing is None and now >= self._heard_from + _PATIENCE:
            self.closing = (1011, "NET-0001: no audio data within the timeout window")
        return messages

    def take(self, message: str | bytes, now: float) -> None:
        if self.closing is not None:
            return
        if isinstance(message, bytes):
            self._heard_from = now
            if self.model.options.encoding:
                self.model.receive(message, now)
            else:
                self._fail("UNSUPPORTED_AUDIO", "the payload cannot be decoded as audio")
            return
        command = _parsed(message)
        kind = command.get("type")
        if kind == "CloseStream":
            self._owed += self.model.finish(now)
            self.closing = (1000, "")
        elif kind == "ForceEndTurn":
            self.model.force_end(now)
        elif kind == "Configure":
            self._configure(command)
        else:
            self._fail("UNPARSABLE_CLIENT_MESSAGE", f"unknown message type: {kind}")

    def _configure(self, command: dict[str, Any]) -> None:
        options = self.model.options
        given = {name: str(value) for name, value in (command.get("thresholds") or {}).items() if value is not None}
        try:
            unknown = set(given) - {"eot_threshold", "eager_eot_threshold", "eot_timeout_ms"}
            if unknown:
                raise Unheard(f"Unknown threshold: {', '.join(sorted(unknown))}.")
            threshold = _number(given, "eot_threshold", 0.5, 1.0, options.eot_threshold)
            timeout = _number(given, "eot_timeout_ms", 500, 60_000, options.eot_timeout * 1000)
            eager = options.eager_eot_threshold
            if "eager_eot_threshold" in given:
                eager = _number(given, "eager_eot_threshold", 0.3, 0.9)
        except Unheard as wrong:
            failure = {"type": "ConfigureFailure", "request_id": self.model.request_id}
            described = {**failure, "code": "INVALID_CONFIGURATION", "description": str(wrong)}
            self._owed.append(self.model.numbered(described))
            return
        options.eot_threshold, options.eot_timeout, options.eager_eot_threshold = threshold, timeout / 1000, eager
        options.keyterms = command.get("keyterms") or options.keyterms
        thresholds = {"eot_threshold": threshold, "eot_timeout_ms": round(timeout)}
        if eager is not None:
            thresholds["eager_eot_threshold"] = eager
        success = {"type": "ConfigureSuccess", "request_id": self.model.request_id, "thresholds": thresholds}
        self._owed.append(self.model.numbered({**success, "keyterms": list(options.keyterms)}))

    def _fail(self, code: str, what: str) -> None:
        self._owed.append(self.model.numbered({"type": "Error", "code": code, "description": what}))
        self.closing = (1008, code)


@dataclass(slots=True)
class Account:
    """What one socket will cost, and for how long it stood."""

    path: str
    opened: float
    side: NovaSide | FluxSide
    closed: float | None = None

    def told(self, now: float) -> dict[str, Any]:
        ended = self.closed if self.closed is not None else now
        return {
            "path": self.path,
            "model": self.side.model.options.model,
            "open": self.closed is None,
            "socket_seconds": round(ended - self.opened, 3),
            "audio_seconds": round(self.side.model.seconds, 3),
            "closed_with": self.side.closing[0] if self.side.closing else None,
        }


class Deepgram:
    """All of Deepgram that this lab has."""

    def __init__(self, profile: Profile, faults: Faults, seed: int, stamps: Stamps) -> None:
        self.talks: set[Talk] = set()
        self._stamps = stamps
        self._profile = profile
        self._faults = faults
        self._seed = seed
        self._numbers = itertools.count(1)
        self._accounts: deque[Account] = deque(maxlen=_KEPT)
        self._refused = 0

    def counts(self, now: float) -> dict[str, Any]:
        sockets = [account.told(now) for account in self._accounts]
        return {
            "sockets": sockets,
            "refused": self._refused,
            "socket_seconds": round(sum(socket["socket_seconds"] for socket in sockets), 3),
            "audio_seconds": round(sum(socket["audio_seconds"] for socket in sockets), 3),
        }

    def reset(self) -> None:
        self._accounts = deque((each for each in self._accounts if each.closed is None), maxlen=_KEPT)
        self._refused = 0
        self._numbers = itertools.count(1)

    async def listen(self, socket: Socket) -> None:
        """One socket, from its handshake to its end."""
        number = next(self._numbers)
        request_id = str(UUID(int=Random(f"{self._seed} deepgram {number}").getrandbits(128), version=4))
        fault = self._faults.next("deepgram")
        token = socket.token("token", "bearer")
        if not token or token == CREDENTIAL_REFUSED:
            return await self._refuse(socket, 401, "INVALID_AUTH", "Invalid credentials.", request_id)
        if fault is not None and fault.kind in ("refuse", "quota"):
            status = 402 if fault.kind == "quota" else fault.status
            return await self._refuse(socket, status, "Payment Required" if status == 402 else "Error", "", request_id)
        chance = Random(f"{self._seed} deepgram {number}")
        profile = self._profile
        if fault is not None and fault.kind == "slow":
            profile = replace(profile, transcript_lag=Spread(profile.transcript_lag.p50 + fault.after))
        side: NovaSide | FluxSide
        try:
            if socket.path == "/v1/listen":
                side = NovaSide(Nova(nova_options(socket.query), profile, chance, request_id), clock())
            else:
                side = FluxSide(Flux(flux_options(socket.query), profile, chance, request_id), clock())
        except Unheard as wrong:
            return await self._refuse(socket, 400, "Bad Request", str(wrong), request_id)
        await socket.accept()
        account = Account(socket.path, clock(), side)
        self._accounts.append(account)
        watch = HearingWatch(self._stamps, f"deepgram {number}", side.model) if self._stamps.on else None
        talk = Talk(socket, side, fault, watch)
        self.talks.add(talk)
        try:
            await talk.run()
        finally:
            self.talks.discard(talk)
            account.closed = clock()

    async def _refuse(self, socket: Socket, status: int, code: str, what: str, request_id: str) -> None:
        self._refused += 1
        body = {"err_code": code, "err_msg": f"{code}: {what}", "request_id": request_id}
        await socket.refuse(status, body, [("dg-error", f"{code}: {what}"), ("dg-request-id", request_id)])


def _parsed(message: str | bytes) -> dict[str, Any]:
    """A text message; one that is no JSON object has no type, and so is no command."""
    try:
        command = json.loads(message)
    except ValueError:
        return {}
    return command if isinstance(command, dict) else {}
