"""Is the process alive, and does it take calls? For balancers and for those who deploy."""

import asyncio

from quart import Blueprint, Response, jsonify

from app.switchboard.exchange import Exchange


def health(exchange: Exchange) -> Blueprint:
    doors = Blueprint("health", __name__)

    @doors.get("/healthz")
    async def alive() -> Response:
        """How late the event loop is tells how full the process is, before any caller feels it."""
        lag, tasks = round(exchange.pulse.lag, 4), len(asyncio.all_tasks())
        return jsonify(status="alive", calls=len(exchange.conversations), lag_seconds=lag, tasks=tasks)

    @doors.get("/readyz")
    async def ready() -> tuple[Response, int]:
        """503 while no new call would be taken, with the reason."""
        if (reason := exchange.closed_because) is not None:
            return jsonify(status="closed", reason=reason), 503
        return jsonify(status="ready", calls=len(exchange.conversations)), 200

    return doors
