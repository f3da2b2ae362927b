"""Pipecat 1.14 as a telephone agent on Twilio's media socket, set up as fast as it goes: the bench's peer.

Runs in the peer's own environment, never in ours: `var/peers/pipecat/bin/python ops/lab/peers/pipecat_bot.py`.
What it is told, by environment variables, and why each choice is the fast one: README.md beside this file.
"""

import argparse
import asyncio
import json
import os
import resource
import sys
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
from deepgram.listen.v1.types import ListenV1Results, ListenV1SpeechStarted, ListenV1UtteranceEnd
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.frames.frames import ProposedUserStartedSpeakingFrame, ProposedUserStoppedSpeakingFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.anthropic.llm import AnthropicLLMService
from pipecat.services.deepgram.flux.stt import DeepgramFluxSTTService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.elevenlabs.tts import ElevenLabsTTSService
from pipecat.services.tts_service import TextAggregationMode
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_turn_strategies import EagerUserTurnStrategies, ExternalUserTurnStrategies
from pipecat.workers.runner import WorkerRunner

TURN = os.environ.get("TURN", "deepgram")  # deepgram (nova-3 and its endpointing) or flux
EAGER = os.environ.get("EAGER", "1") == "1"  # flux only: think ahead of the committed end of turn
START = os.environ.get("START", "voice")  # deepgram only: an interruption begins with any voice, or with words
TTS_MODE = os.environ.get("TTS_MODE", "sentence")  # sentence or token
GREETING = os.environ.get("GREETING", "Hello, this is the clinic. How can I help?")
PROMPT = os.environ.get("PROMPT", "You answer the phone of a small clinic.")
MODEL = os.environ.get("MODEL", "claude-haiku-5-5")
VOICE = os.environ.get("VOICE", "21m00Tcm4TlvDq8ikWAM")
DEEPGRAM_URL = os.environ.get("DEEPGRAM_URL", "wss://api.deepgram.com").rstrip("/")
ANTHROPIC_BASE_URL = os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
ELEVENLABS_URL = os.environ.get("ELEVENLABS_BASE_URL", "https://api.elevenlabs.io").rstrip("/")
RATE = 8000  # both ways: resampling for the telephone costs Pipecat 86 ms in and 67 ms out
CONTEXTS: dict[str, LLMContext] = {}


class EndpointedDeepgram(DeepgramSTTService):
    """nova-3 with Deepgram's own endpointing, which Pipecat's service receives but does not use.

    Without it a turn would end by a local detector plus a second of waiting; with it, at `speech_final`.
    """

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        self._speaking = False

    async def _begin(self) -> None:
        if not self._speaking:
            self._speaking = True
            await self.broadcast_frame(ProposedUserStartedSpeakingFrame)

    async def _end(self) -> None:
        if self._speaking:
            self._speaking = False
            await self.broadcast_frame(ProposedUserStoppedSpeakingFrame)

    async def _on_message(self, message) -> None:
        if isinstance(message, ListenV1SpeechStarted) and START == "voice":
            await self._begin()
        elif isinstance(message, ListenV1UtteranceEnd):
            await self._end()
        elif isinstance(message, ListenV1Results):
            alternatives = message.channel.alternatives
            if alternatives and alternatives[0].transcript:
                await self._begin()
            await super()._on_message(message)  # the words first: the end of a turn waits for its text
            if message.speech_final:
                await self._end()


def over(scheme: str, url: str) -> str:
    """The same host by http or by websocket, secure as given."""
    kind, _, rest = url.partition("://")
    return f"{scheme}{'s' if kind in ('https', 'wss') else ''}://{rest}"


def make_ears():
    key = os.environ.get("DEEPGRAM_API_KEY", "lab")
    if TURN == "flux":
        settings = DeepgramFluxSTTService.Settings(
            model="flux-general-en",
            eot_threshold=0.7,
            eot_timeout_ms=5000,
            **({"eager_eot_threshold": 0.4} if EAGER else {}),
        )
        return DeepgramFluxSTTService(
            api_key=key,
            url=over("ws", DEEPGRAM_URL) + "/v2/listen",
            enable_eager_end_of_turn=EAGER,
            audio_passthrough=False,
            settings=settings,
        )
    settings = DeepgramSTTService.Settings(
        model="nova-3", language="en", endpointing=300, utterance_end_ms=1000, extra={"vad_events": True}
    )
    return EndpointedDeepgram(
        api_key=key, base_url=over("ws", DEEPGRAM_URL), sample_rate=RATE, audio_passthrough=False, settings=settings
    )


def make_mind(client: AsyncAnthropic) -> AnthropicLLMService:
    settings = AnthropicLLMService.Settings(
        model=MODEL, system_instruction=PROMPT, max_tokens=400, enable_prompt_caching=True
    )
    return AnthropicLLMService(api_key="", client=client, settings=settings)


def make_mouth() -> ElevenLabsTTSService:
    return ElevenLabsTTSService(
        api_key=os.environ.get("ELEVENLABS_API_KEY", "lab"),
        url=over("ws", ELEVENLABS_URL),
        sample_rate=RATE,
        text_aggregation_mode=TextAggregationMode.TOKEN if TTS_MODE == "token" else TextAggregationMode.SENTENCE,
        settings=ElevenLabsTTSService.Settings(model="eleven_flash_v2_5", voice=VOICE),
    )


def make_worker(transport: FastAPIWebsocketTransport, client: AsyncAnthropic, context: LLMContext) -> PipelineWorker:
    # Named explicitly, or the aggregator would load a turn model that nobody asks.
    turns = EagerUserTurnStrategies() if TURN == "flux" and EAGER else ExternalUserTurnStrategies()
    memory = LLMContextAggregatorPair(context, user_params=LLMUserAggregatorParams(user_turn_strategies=turns))
    pipeline = Pipeline(
        [
            transport.input(),
            make_ears(),
            memory.user(),
            make_mind(client),
            make_mouth(),
            transport.output(),
            memory.assistant(),
        ]
    )
    params = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
    return PipelineWorker(
        pipeline, params=params, enable_rtvi=False, enable_turn_tracking=False, check_dangling_tasks=False
    )


async def answer(websocket: WebSocket, client: AsyncAnthropic) -> None:
    """One call, from the first message to the end of the socket."""
    await websocket.accept()
    _, call = await parse_telephony_websocket(websocket)
    serializer = TwilioFrameSerializer(
        stream_sid=call["stream_id"],
        call_sid=call["call_id"],
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    transport = FastAPIWebsocketTransport(
        websocket=websocket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_out_10ms_chunks=2,  # 20 ms, as the telephone sends it; Pipecat's default waits for 40
            add_wav_header=False,
            serializer=serializer,
        ),
    )
    context = CONTEXTS[call["call_id"]] = LLMContext()
    worker = make_worker(transport, client, context)

    @transport.event_handler("on_client_connected")
    async def greet(transport, websocket) -> None:
        await worker.queue_frames([TTSSpeakFrame(GREETING, append_to_context=True)])

    @transport.event_handler("on_client_disconnected")
    async def leave(transport, websocket) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
    await runner.add_workers(worker)
    try:
        await runner.run()
    finally:
        CONTEXTS.pop(call["call_id"], None)


def make_app() -> FastAPI:
    # One client for all calls, kept alive: Pipecat's default opens a connection at each call's first turn.
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=500, keepalive_expiry=300)
    client = AsyncAnthropic(
        api_key=os.environ.get("ANTHROPIC_API_KEY", "lab"),
        base_url=ANTHROPIC_BASE_URL,
        http_client=DefaultAsyncHttpxClient(limits=limits),
    )

    @asynccontextmanager
    async def life(app: FastAPI):
        yield
        await client.close()

    app = FastAPI(lifespan=life)

    @app.websocket("/ws")
    async def media(websocket: WebSocket) -> None:
        await answer(websocket, client)

    @app.get("/stats")
    async def stats() -> dict:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "calls": len(CONTEXTS),
            "tasks": len(asyncio.all_tasks()),
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "peak_rss_kb": used.ru_maxrss,
        }

    @app.get("/context/{call_sid}")
    async def context(call_sid: str) -> list:
        """What the peer believes was said, for a comparison with what the caller heard."""
        known = CONTEXTS.get(call_sid)
        return json.loads(json.dumps(known.get_messages(), default=str)) if known else []

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8765)
    port = parser.parse_args().port
    logger.remove()
    logger.add(sys.stderr, level=os.environ.get("LOG_LEVEL", "WARNING"))  # at DEBUG it writes several lines a turn
    loop = "uvloop" if sys.platform != "win32" else "asyncio"
    print(f"pipecat {TURN}{'+eager' if TURN == 'flux' and EAGER else ''} at ws://127.0.0.1:{port}/ws", flush=True)
    uvicorn.run(make_app(), port=port, loop=loop, log_level="warning", ws_per_message_deflate=False, lifespan="on")


if __name__ == "__main__":
    main()
