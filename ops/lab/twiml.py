"""What a server may tell the telephone company to do: TwiML, read as strictly as the company reads it. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from xml.etree import ElementTree

from ops.lab.phone import Fault

BAD_DOCUMENT, UNKNOWN_PART, BAD_TYPE = 12100, 12200, 12300
HANDSHAKE, NOT_SECURE, BAD_PARAMETER = 31920, 31922, 31951
LONGEST_DOCUMENT = 64 * 1024
LONGEST_PARAMETER = 500

# The verbs that this company follows, the nouns within them, and what each may say.
_ATTRIBUTES = {
    "Connect": "action method",
    "Stream": "url name track statusCallback statusCallbackMethod connectorName",
    "Parameter": "name value",
    "Say": "voice language loop",
    "Play": "digits loop",
    "Pause": "length",
    "Dial": "action method timeout callerId answerOnBridge hangupOnStar timeLimit record trim ringTone sequential "
    "recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent recordingTrack referUrl",
    "Number": "url method sendDigits statusCallback statusCallbackEvent statusCallbackMethod byoc",
    "Redirect": "method",
    "Hangup": "",
    "Reject": "reason",
}
_NOUNS = {"Connect": {"Stream"}, "Stream": {"Parameter"}, "Dial": {"Number"}}
_NESTED = {"Stream", "Parameter", "Number"}


class Unusable(Exception):
    """A document with which the company can do nothing; the call ends with an application error."""

    def __init__(self, code: int, what: str) -> None:
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, slots=True)
class Verb:
    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    nouns: "tuple[Verb, ...]" = ()

    def __str__(self) -> str:
        inner = next((f" {noun.name} {noun.attributes.get('url', noun.text)}".rstrip() for noun in self.nouns), "")
        return f"{self.name}{inner or ' ' + self.text}".strip()


def read(body: str, content_type: str) -> list[Verb]:
    """The verbs of a document, in order; Unusable when it is none."""
    if content_type.partition(";")[0].strip().lower() not in ("text/xml", "application/xml", "text/html"):
        raise Unusable(BAD_TYPE, f"the answer is {content_type or 'of no type'}, not text/xml")
    if len(body) > LONGEST_DOCUMENT:
        raise Unusable(BAD_DOCUMENT, "the document is longer than 64 kB")
    if "<!DOCTYPE" in body:  # no entities here, which could be made to swell
        raise Unusable(BAD_DOCUMENT, "the document declares a type")
    try:
        root = ElementTree.fromstring(body.encode())
    except ElementTree.ParseError as wrong:
        raise Unusable(BAD_DOCUMENT, f"the document is not XML: {wrong}") from None
    if root.tag != "Response":
        raise Unusable(BAD_DOCUMENT, f"the document is a {root.tag}, not a Response")
    return [_verb(element) for element in root]


def _verb(element: ElementTree.Element) -> Verb:
    text = re.sub(r"\s+", " ", element.text or "").strip()
    return Verb(str(element.tag), dict(element.attrib), text, tuple(_verb(inner) for inner in element))


def oddities(verb: Verb, within: str = "") -> Iterator[Fault]:
    """What the company would warn of and pass over: parts that it does not know, or not in this place."""
    known = _ATTRIBUTES.get(verb.name)
    misplaced = verb.name not in _NOUNS.get(within, set()) if within else verb.name in _NESTED
    if known is None or misplaced:
        yield Fault(UNKNOWN_PART, f"unknown: <{verb.name}>{' in <' + within + '>' if within else ''}")
        return
    for name in verb.attributes.keys() - set(known.split()):
        yield Fault(UNKNOWN_PART, f"unknown: {name} in <{verb.name}>")
    for noun in verb.nouns:
        yield from oddities(noun, verb.name)


def refusals(stream: Verb, *, plain: bool) -> Iterator[Fault]:
    """Why the company would not even try to open this stream. `plain`: it may be without encryption."""
    url = urlsplit(stream.attributes.get("url", ""))
    if url.scheme != "wss" and not (plain and url.scheme == "ws"):
        yield Fault(NOT_SECURE, f"the stream's address must begin with wss: {url.geturl() or 'it has none'}")
    elif url.query:
        yield Fault(HANDSHAKE, f"the stream's address has a query, which is not passed on: {url.geturl()}")
    if stream.attributes.get("track", "inbound_track") != "inbound_track":
        yield Fault(HANDSHAKE, "a connected stream has the track inbound_track and no other")
    for name, value in parameters(stream).items():
        if len(name) + len(value) >= LONGEST_PARAMETER:
            yield Fault(BAD_PARAMETER, f"the parameter {name} is longer than {LONGEST_PARAMETER} letters")


def parameters(stream: Verb) -> dict[str, str]:
    return {
        noun.attributes.get("name", ""): noun.attributes.get("value", "")
        for noun in stream.nouns
        if noun.name == "Parameter"
    }
