"""What Twilio is told to do with a call. Every document ends in `<Hangup/>`: nobody is left in dead air."""

from twilio.twiml.voice_response import Connect, Dial, VoiceResponse

_RING_SECONDS = 25  # five rings; voice mail of a mobile takes over after 25 to 30 s


def connect(*, stream_url: str, token: str, action: str, status_callback: str, sorry: str) -> str:
    """Open a media stream. Should nobody ever answer the action, the caller hears `sorry`."""
    response = VoiceResponse()
    conversation = Connect(action=action, method="POST")
    stream = conversation.stream(url=stream_url, status_callback=status_callback, status_callback_method="POST")
    stream.parameter(name="token", value=token)  # Twilio drops query strings, so it stands in the path and here
    response.append(conversation)
    response.say(sorry)
    response.hangup()
    return str(response)


def apologise(words: str) -> str:
    response = VoiceResponse()
    response.say(words)
    response.hangup()
    return str(response)


def hang_up() -> str:
    response = VoiceResponse()
    response.hangup()
    return str(response)


def dial(number: str, *, action: str, caller_id: str = "") -> str:
    """Put the caller through. They hear it ring, and are billed, only from the moment somebody answers."""
    response = VoiceResponse()
    shown = {"caller_id": caller_id} if caller_id else {}
    bridge = Dial(answer_on_bridge=True, timeout=_RING_SECONDS, action=action, method="POST", **shown)
    bridge.number(number)
    response.append(bridge)
    response.hangup()
    return str(response)
