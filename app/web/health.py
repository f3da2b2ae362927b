"""Is the process alive, and does it take calls? For balancers and for those who deploy."""

from quart import Blueprint, Response, jsonify

from app.switchboard.exchange import Exchange


def health(exchange: Exchange) -> Blueprint:
    doors = Blueprint("health", __name__)

    @doors.get("/healthz")
    async def alive() -> Response:
        return jsonify(status="alive", calls=len(exchange.conversations))

    @doors.get("/readyz")
    async def ready() -> tuple[Response, int]:
        """503 while no new call would be taken, with the reason."""
        if (reason := exchange.closed_because) is not None:
            return jsonify(status="closed", reason=reason), 503
        return jsonify(status="ready", calls=len(exchange.conversations)), 200

    return doors
