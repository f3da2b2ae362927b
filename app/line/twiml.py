"""What Twilio is told to do with a call, as documents. Each ends in <Hangup/>: no call is ever left in dead air."""

from collections.abc import Mapping

from twilio.twiml.voice_response import Dial, VoiceResponse

RING_SECONDS = 25  # five rings; after that people have stopped expecting an answer, and voicemail takes over


def connect(
    socket_url: str,
    token: str,
    *,
    action: str,
    status: str,
    apology: str,
    parameters: Mapping[str, str] | None = None,
) -> str:
    """Bring the call to our media socket.

    The token goes into the path, because query strings are dropped, and into a parameter, to be checked at `start`.
    When the stream ends Twilio asks `action` what follows; when nobody answers there, the caller hears `apology`.
    """
    response = VoiceResponse()
    stream = response.connect(action=action, method="POST").stream(
        url=f"{socket_url.rstrip('/')}/{token}",
        status_callback=status,
        status_callback_method="POST",
    )
    for name, value in {"token": token, **(parameters or {})}.items():
        stream.parameter(name=name, value=value)
    response.say(apology)
    response.hangup()
    return str(response)


def resume(socket_url: str, token: str, *, action: str, status: str, apology: str) -> str:
    """Bring a call back whose socket broke; the stream says so at its start."""
    return connect(socket_url, token, action=action, status=status, apology=apology, parameters={"resumed": "yes"})


def apologise(text: str) -> str:
    """Say why nobody can talk now, in the carrier's own voice, and hang up."""
    response = VoiceResponse()
    response.say(text)
    response.hangup()
    return str(response)


def hang_up() -> str:
    response = VoiceResponse()
    response.hangup()
    return str(response)


def dial(to: str, *, action: str, caller_id: str = "", whisper_url: str = "", ring_seconds: int = RING_SECONDS) -> str:
    """Put the caller through: they hear ringing until somebody answers. That somebody first hears `whisper_url`."""
    response = VoiceResponse()
    asked = {"answer_on_bridge": True, "timeout": ring_seconds, "action": action, "method": "POST"}
    dialling = Dial(**asked, **({"caller_id": caller_id} if caller_id else {}))
    dialling.number(to, **({"url": whisper_url, "method": "POST"} if whisper_url else {}))
    response.append(dialling)
    response.hangup()
    return str(response)


def whisper(summary: str) -> str:
    """What the person who takes a transfer hears alone, before the caller is joined to them.

    The one document without <Hangup/>, which would hang up on them: Twilio bridges the two when it ends.
    """
    response = VoiceResponse()
    response.say(summary)
    return str(response)
