"""The least that a FastAPI route can do with the body of a prediction: parse it and answer."""

import socket
import sys

import orjson
import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import Response

app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> Response:
    """Says how many instances came."""
    document = orjson.loads(await request.body())
    return Response(orjson.dumps({"received": len(document["instances"])}), media_type="application/json")


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Says that it answers."""
    return {"status": "alive"}


def serve(port: int) -> None:
    """Serves with the settings that `kerb serve` gives uvicorn."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, server_header=False, proxy_headers=False
        )
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve(int(sys.argv[1]))
