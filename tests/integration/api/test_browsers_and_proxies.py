"""Pages of other origins and clients behind a proxy, against the whole application."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inference.app import create_app
from inference.settings import from_environment
from tests.conftest import SHIPPED, digit_png
from tests.corpus.http_requests.message import FIRST

BASE = "/api/v1.0"
HOST = "http://api.example:9090"
KEY = "key of a page"
Client = Callable[..., TestClient]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Return a client of the service with one model."""
    shutil.copytree(SHIPPED / FIRST, tmp_path / "models" / FIRST)
    (tmp_path / "keys").write_text(hashlib.sha256(KEY.encode()).hexdigest())
    clients: list[TestClient] = []

    def start(address: str = "127.0.0.1", **variables: str) -> TestClient:
        environment = {
            "MODELS_DIR": str(tmp_path / "models"),
            "COMPILED_DIR": str(tmp_path / "compiled"),
            "JOURNAL_BYTES": "0",
            "ALLOWED_HOSTS": "api.example,page.example",
            **variables,
        }
        app = create_app(from_environment(environment))
        clients.append(TestClient(app, HOST, client=(address, 50000), follow_redirects=False))
        return clients[-1].__enter__()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGHOST", "127.0.0.1")
        patch.setenv("PGPORT", "9")
        yield start
        for client in clients:
            client.__exit__()


@pytest.mark.parametrize(
    ("origin", "is_trusted"),
    [
        ("https://page.example", True),
        ("http://page.example:3000", True),
        ("http://localhost:5173", True),
        (HOST, True),
        ("https://evil.example", False),
        ("https://evil-page.example", False),
        ("https://page.example.evil.example", False),
        ("null", False),
    ],
)
def test_page_reads_responses_only_of_a_trusted_origin(
    client: Client, origin: str, *, is_trusted: bool
) -> None:
    own = client()
    shared = {origin} if is_trusted else {None}
    headers = {"Origin": origin}
    preflight = own.options(
        f"{BASE}/predictions",
        headers={
            **headers,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-api-key",
        },
    )
    files = {"image_blob": ("7.png", digit_png("7"), "image/png")}
    url = f"{BASE}/inference?experiment_name={FIRST}"
    responses = [
        own.get(f"{BASE}/models", headers=headers),
        own.get(f"{BASE}/nothing", headers=headers),
        own.post(url, files=files, headers=headers),
        own.post(url, headers=headers),
        preflight,
    ]
    statuses = [200, 404, 200, 415, 204] if is_trusted else [200, 404, 403, 403, 403]
    assert [response.status_code for response in responses] == statuses
    for response in responses:
        assert {response.headers.get("Access-Control-Allow-Origin")} == shared
        assert response.headers["Vary"].lower() == "origin"
        assert "Access-Control-Allow-Credentials" not in response.headers
        exposed = response.headers.get("Access-Control-Expose-Headers", "")
        assert ("x-request-id" in exposed) == is_trusted
    assert ("Access-Control-Allow-Methods" in preflight.headers) == is_trusted


def test_page_with_any_origin_is_named_not_starred(client: Client) -> None:
    own = client(ALLOWED_HOSTS="*")
    response = own.get(f"{BASE}/models", headers={"Origin": "https://any.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "https://any.example"
    assert "Access-Control-Allow-Origin" not in own.get(f"{BASE}/models").headers


def test_page_without_a_key_may_ask_and_read_why_it_is_refused(
    client: Client, tmp_path: Path
) -> None:
    own = client(API_KEYS_FILE=str(tmp_path / "keys"))
    headers = {"Origin": "https://page.example"}
    asked = {**headers, "Access-Control-Request-Method": "GET"}
    url = f"{BASE}/images/{'0' * 64}"
    assert own.options(url, headers=asked).status_code == 204
    refused = own.get(url, headers=headers)
    assert (refused.status_code, refused.json()["title"]) == (401, "API key required")
    assert refused.headers["Access-Control-Allow-Origin"] == "https://page.example"
    assert own.get(url, headers={**headers, "X-API-Key": KEY}).status_code == 503  # no database


@pytest.mark.parametrize("path", ["/healthz/", "/models/", "", "/ui"])
@pytest.mark.parametrize(
    ("address", "trusted", "scheme"),
    [
        ("127.0.0.1", "", "https"),
        ("10.1.2.3", "10.0.0.0/8", "https"),
        ("10.1.2.3", "", "http"),
        ("127.0.0.1", "10.0.0.0/8", "http"),
    ],
)
def test_redirect_keeps_the_scheme_of_a_trusted_proxy(
    client: Client, path: str, address: str, trusted: str, scheme: str
) -> None:
    own = client(address, FORWARDED_ALLOW_IPS=trusted)
    response = own.get(BASE + path, headers={"X-Forwarded-Proto": "https"})
    assert response.status_code == 307
    location = response.headers["Location"]
    assert location.startswith((f"{scheme}://api.example:9090{BASE}", f"{BASE}/ui/"))
