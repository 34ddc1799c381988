"""A real server on a real socket, whose application isn't there at first."""

import asyncio
import socket

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.starting import ALIVE, StartingApp


async def greet(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


APPLICATION = Starlette(routes=[Route("/", greet)])


def test_the_process_is_alive_and_other_requests_wait() -> None:
    async def scenario() -> None:
        starting = StartingApp()
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(starting, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            waiting = asyncio.create_task(client.get("/", timeout=30))
            alive = await client.get("/healthz")
            assert alive.content == ALIVE
            assert not waiting.done()

            starting.become(APPLICATION)

            assert (await waiting).text == "here"
            assert (await client.get("/healthz")).status_code == 404  # the application answers it from now on
        server.should_exit = True
        await serving

    asyncio.run(scenario())
