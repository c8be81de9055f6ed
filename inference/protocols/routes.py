"""Routes: the addresses of the serving protocols, with their methods and actions."""

import functools
import re
from enum import StrEnum, auto
from typing import NamedTuple

from inference.protocols.errors import MethodNotAllowedError, UnknownPathError

GET, POST = ("GET", "HEAD"), ("POST",)
ANY = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class Action(StrEnum):
    """What an address does."""

    ALIVE = auto()
    LIVE = auto()
    READY = auto()
    SERVER = auto()
    MODEL = auto()
    MODEL_READY = auto()
    INFER = auto()
    INDEX = auto()
    LOAD = auto()
    NOT_KEPT = auto()
    MODELS = auto()
    STATUS = auto()
    METADATA = auto()
    PREDICT = auto()
    CLASSIFY = auto()
    REGRESS = auto()
    PING = auto()
    VERSION = auto()
    INVOKE = auto()


class Route(NamedTuple):
    """An address: its template as in OpenAPI, its methods, and what it does."""

    template: str
    methods: tuple[str, ...]
    action: Action


class Match(NamedTuple):
    """The route of a path, and the values in its template."""

    route: Route
    values: dict[str, str]


def _versions(prefix: str, *selectors: str) -> list[str]:
    return [prefix, *(prefix + selector for selector in selectors)]


V2_MODELS = _versions("/v2/models/{name}", "/versions/{version}")
V1_MODELS = _versions("/v1/models/{name}", "/versions/{version}", "/labels/{label}")
ROUTES = [
    *(Route(f"{model}/infer", POST, Action.INFER) for model in V2_MODELS),
    *(Route(f"{model}:predict", POST, Action.PREDICT) for model in V1_MODELS),
    Route("/invocations", POST, Action.INVOKE),
    Route("/mlflow/{name}/invocations", POST, Action.INVOKE),
    Route("/v2", GET, Action.SERVER),
    Route("/v2/health/live", GET, Action.LIVE),
    Route("/v2/health/ready", GET, Action.READY),
    Route("/v2/models/stats", GET, Action.NOT_KEPT),  # of all models
    *(Route(model, GET, Action.MODEL) for model in V2_MODELS),
    *(Route(f"{model}/ready", GET, Action.MODEL_READY) for model in V2_MODELS),
    *(
        Route(f"{model}/{part}", ANY, Action.NOT_KEPT)
        for model in V2_MODELS
        for part in ("config", "stats", "generate", "generate_stream", "trace/setting")
    ),
    Route("/v2/trace/setting", ANY, Action.NOT_KEPT),
    Route("/v2/logging", ANY, Action.NOT_KEPT),
    *(
        Route(f"/v2/{kind}sharedmemory{part}", ANY, Action.NOT_KEPT)
        for kind in ("system", "cuda")
        for part in (
            "/status", "/register", "/unregister", "/region/{region}/status",
            "/region/{region}/register", "/region/{region}/unregister",
        )
    ),
    Route("/v2/repository/index", POST, Action.INDEX),
    Route("/v2/repository/models/{name}/load", POST, Action.LOAD),
    Route("/v2/repository/models/{name}/unload", POST, Action.LOAD),
    Route("/", GET, Action.ALIVE),
    Route("/v1/models", GET, Action.MODELS),
    *(Route(model, GET, Action.STATUS) for model in V1_MODELS),
    *(Route(f"{model}/metadata", GET, Action.METADATA) for model in V1_MODELS),
    *(Route(f"{model}:classify", POST, Action.CLASSIFY) for model in V1_MODELS),
    *(Route(f"{model}:regress", POST, Action.REGRESS) for model in V1_MODELS),
    *(Route(f"{prefix}/ping", GET, Action.PING) for prefix in ("", "/mlflow/{name}")),
    *(Route(f"{prefix}/health", GET, Action.PING) for prefix in ("", "/mlflow/{name}")),
    *(Route(f"{prefix}/version", GET, Action.VERSION) for prefix in ("", "/mlflow/{name}")),
]  # fmt: skip
PATTERNS = [
    (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/:]+)", re.escape(route.template))), route)
    for route in ROUTES
]


def match(method: str, path: str) -> Match:
    """Return the route of a request. Raises UnknownPathError and MethodNotAllowedError."""
    found = _find(path)
    if found is None:
        raise UnknownPathError
    if method not in found.route.methods:
        raise MethodNotAllowedError(found.route.methods)
    return found


@functools.lru_cache(maxsize=1024)
def _find(path: str) -> Match | None:
    for pattern, route in PATTERNS:
        if found := pattern.fullmatch(path):
            return Match(route, found.groupdict())
    return None
