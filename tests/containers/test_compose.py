"""Compose stack: build, start, use and change."""

import hashlib
import io
import re
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import requests

from inference.models.repository import ModelRepository
from inference.preprocessing.digits import read_digit
from tests.containers.conftest import ROOT, TIMEOUT_SECONDS, Compose, wait_until


def test_experiments_match_in_process_predictions(
    compose: Compose, digits: dict[str, bytes]
) -> None:
    models = ModelRepository(ROOT / "models", compose.folder / "compiled", memory_bytes=2**28)
    models.load()
    models.close()  # nothing changes in it
    assert models.snapshot().all()
    for model in models.snapshot().all():
        for digit in digits.values():
            url = f"{compose.api_url}/inference?experiment_name={model.name}"
            answer = requests.post(url, files={"image_blob": io.BytesIO(digit)}, timeout=10).json()[
                "class"
            ]
            _, network = models.resolve(model.name)
            assert (
                answer
                == model.classes[int(network.probabilities(read_digit(digit)[np.newaxis]).argmax())]
            )


def test_stack_is_ready_with_dashboard(compose: Compose) -> None:
    ready = requests.get(f"{compose.api_url}/readyz", timeout=10).json()
    assert (ready["status"], ready["dependencies"]["database"]) == ("ready", {"status": "ok"})
    assert requests.get(f"{compose.web_url}/_stcore/health", timeout=10).text == "ok"


def test_prediction_is_stored_with_its_original(compose: Compose, digits: dict[str, bytes]) -> None:
    digit = next(iter(digits.values()))
    experiment = min(folder.name for folder in (ROOT / "models").iterdir() if folder.is_dir())
    url = f"{compose.api_url}/inference?experiment_name={experiment}"
    answer = requests.post(url, files={"image_blob": io.BytesIO(digit)}, timeout=10)
    assert answer.status_code == 200
    request = answer.headers["X-Request-ID"]
    query = (
        "SELECT original_url FROM prediction_events"
        " JOIN predictions ON predictions.id = prediction_id"
        " JOIN images ON images.id = image_id"
        f" WHERE request_id = '{request}' AND original_url IS NOT NULL"
    )
    wait_until(lambda: len(compose.rows(query)) == 1)
    [(original,)] = compose.rows(query)
    path = unquote(urlsplit(str(original)).path)
    assert (
        compose.run("exec", "-T", "inference", "sha256sum", path).split()[0]
        == hashlib.sha256(digit).hexdigest()
    )


def test_up_imports_a_changed_data_csv(compose: Compose) -> None:
    before = compose.rows("SELECT count(*) FROM experiments WHERE source_file = 'data.csv'")[0][0]
    csv = compose.folder / "data.csv"
    first_row = csv.read_text().splitlines()[1]
    csv.write_text(
        csv.read_text() + first_row.replace("mnist_experiment_", "added_experiment_", 1) + "\n"
    )
    compose.run("up", "-d", "--wait")
    assert before == len(csv.read_text().splitlines()) - 2
    assert compose.rows("SELECT count(*) FROM experiments WHERE name LIKE 'added%'") == [(1,)]


def test_pgadmin_connects_as_read_role_without_password(compose: Compose, pgadmin_url: str) -> None:
    with requests.Session() as session:
        page = session.get(pgadmin_url, timeout=TIMEOUT_SECONDS)
        assert (page.status_code, "/login" in page.url) == (200, False)
        script = session.get(f"{pgadmin_url}/browser/js/utils.js", timeout=TIMEOUT_SECONDS).text
        header, token = re.findall(r"pgAdmin\['csrf_token(?:_header)?'\] = '([^']+)'", script)
        session.headers[header] = token
        [server] = session.get(
            f"{pgadmin_url}/browser/server/obj/1/", timeout=TIMEOUT_SECONDS
        ).json()
        assert (server["name"], server["username"]) == ("ml-ops-starter", "mlops_read")
        connect = f"{pgadmin_url}/browser/server/connect/{server['gid']}/{server['id']}"
        answer = session.post(connect, timeout=TIMEOUT_SECONDS).json()
    assert (answer["success"], answer["data"]["connected"]) == (1, True)
    users = (
        "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE application_name LIKE 'pgAdmin%'"
    )
    assert compose.rows(users) == [("mlops_read",)]


def test_pgadmin_is_reachable_only_from_this_machine(compose: Compose, pgadmin_url: str) -> None:
    foreign = {"Host": "pgadmin.example"}
    assert (
        requests.get(
            f"{pgadmin_url}/browser/", headers=foreign, timeout=TIMEOUT_SECONDS
        ).status_code
        == 403
    )
    reach = "import socket; socket.create_connection(('pgadmin', 5050), timeout=3)"
    for service in ("inference", "web"):
        with pytest.raises(AssertionError, match="gaierror"):
            compose.run("exec", "-T", service, "python", "-c", reach)
