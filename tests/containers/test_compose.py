"""The compose stack as people use it: built from a copy of the project, started, used and changed."""

import hashlib
import io
import re
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import requests

from inference.models.repository import ModelRepository
from inference.preprocessing.digits import read_digit
from tests.containers.conftest import PATIENCE_SECONDS, ROOT, Compose, until


def test_every_experiment_reads_digits_as_it_does_in_process(
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


def test_everything_is_ready_and_the_dashboard_answers(compose: Compose) -> None:
    ready = requests.get(f"{compose.api_url}/readyz", timeout=10).json()
    assert (ready["status"], ready["dependencies"]["database"]) == ("ready", {"status": "ok"})
    assert requests.get(f"{compose.web_url}/_stcore/health", timeout=10).text == "ok"


def test_a_prediction_reaches_the_database_and_its_original_the_volume(
    compose: Compose, digits: dict[str, bytes]
) -> None:
    digit = next(iter(digits.values()))
    experiment = min(folder.name for folder in (ROOT / "models").iterdir() if folder.is_dir())
    url = f"{compose.api_url}/inference?experiment_name={experiment}"
    answer = requests.post(url, files={"image_blob": io.BytesIO(digit)}, timeout=10)
    assert answer.status_code == 200
    request = answer.headers["X-Request-ID"]
    query = (
        "SELECT original_url FROM prediction_events JOIN predictions ON predictions.id = prediction_id"
        f" JOIN images ON images.id = image_id WHERE request_id = '{request}' AND original_url IS NOT NULL"
    )
    until(lambda: len(compose.rows(query)) == 1)
    [(original,)] = compose.rows(query)
    path = unquote(urlsplit(str(original)).path)
    assert (
        compose.run("exec", "-T", "inference", "sha256sum", path).split()[0]
        == hashlib.sha256(digit).hexdigest()
    )


def test_a_changed_data_csv_is_picked_up_by_the_next_up(compose: Compose) -> None:
    before = compose.rows("SELECT count(*) FROM experiments WHERE source_file = 'data.csv'")[0][0]
    csv = compose.folder / "data.csv"
    first_row = csv.read_text().splitlines()[1]
    csv.write_text(
        csv.read_text() + first_row.replace("mnist_experiment_", "added_experiment_", 1) + "\n"
    )
    compose.run("up", "-d", "--wait")
    assert before == len(csv.read_text().splitlines()) - 2
    assert compose.rows("SELECT count(*) FROM experiments WHERE name LIKE 'added%'") == [(1,)]


def test_pgadmin_connects_as_the_reading_role_and_asks_nobody_for_a_password(
    compose: Compose, pgadmin_url: str
) -> None:
    with requests.Session() as session:
        page = session.get(pgadmin_url, timeout=PATIENCE_SECONDS)
        assert (page.status_code, "/login" in page.url) == (200, False)
        script = session.get(f"{pgadmin_url}/browser/js/utils.js", timeout=PATIENCE_SECONDS).text
        header, token = re.findall(r"pgAdmin\['csrf_token(?:_header)?'\] = '([^']+)'", script)
        session.headers[header] = token
        [server] = session.get(
            f"{pgadmin_url}/browser/server/obj/1/", timeout=PATIENCE_SECONDS
        ).json()
        assert (server["name"], server["username"]) == ("ml-ops-starter", "mlops_read")
        connect = f"{pgadmin_url}/browser/server/connect/{server['gid']}/{server['id']}"
        answer = session.post(connect, timeout=PATIENCE_SECONDS).json()
    assert (answer["success"], answer["data"]["connected"]) == (1, True)
    users = (
        "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE application_name LIKE 'pgAdmin%'"
    )
    assert compose.rows(users) == [("mlops_read",)]


def test_pgadmin_answers_nobody_but_this_machine(compose: Compose, pgadmin_url: str) -> None:
    foreign = {"Host": "pgadmin.example"}
    assert (
        requests.get(
            f"{pgadmin_url}/browser/", headers=foreign, timeout=PATIENCE_SECONDS
        ).status_code
        == 403
    )
    reach = "import socket; socket.create_connection(('pgadmin', 5050), timeout=3)"
    for service in ("inference", "web"):
        with pytest.raises(AssertionError, match="gaierror"):
            compose.run("exec", "-T", service, "python", "-c", reach)
