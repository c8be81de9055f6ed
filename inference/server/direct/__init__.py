"""Direct requests: from the parser of HTTP to an answer, without ASGI and the API's framework."""
