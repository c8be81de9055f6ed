"""Bare server: an ASGI application without any work, to measure the cost of uvicorn and HTTP."""

from starlette.types import ASGIApp, Receive, Scope, Send

BODY = b'{"class":"7"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


def create_app() -> ASGIApp:
    """Return an application that reads each request and sends a constant response."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})

    return app
