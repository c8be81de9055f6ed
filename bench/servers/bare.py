"""An ASGI application without any work: what uvicorn and HTTP alone cost."""

from starlette.types import ASGIApp, Receive, Scope, Send

ANSWER = b'{"class":"7"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


def create_app() -> ASGIApp:
    """Return an application that reads a request and gives the same answer to each."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": ANSWER})

    return app
