"""Code snippets to copy."""

import ast
import subprocess
from pathlib import Path

import pytest

from web.components.code_snippets import (
    SNIPPETS,
    curl,
    curl_many,
    kserve,
    mlflow,
    own_client,
    python,
    tensorflow_serving,
    tritonclient,
)

API = "http://localhost:9090/api/v1.0"
PAGE = (Path(__file__).parents[4] / "doc" / "protocols.md").read_text()
HOSTILE = "a\"'; touch hacked; '\n"


def literals(program: str) -> set[object]:
    """Return the constants of a program."""
    nodes = ast.walk(ast.parse(program))
    return {node.value for node in nodes if isinstance(node, ast.Constant)}


def arguments_of_curl(command: str) -> list[str]:
    """Return the arguments with which a command runs curl, one a line."""
    return subprocess.run(
        ["/bin/bash", "-c", f"curl() {{ printf '%s\\n' \"$@\"; }}; {command}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()


def test_hostile_model_name_is_quoted() -> None:
    hostile = "a'; touch hacked; '"
    arguments = subprocess.run(
        ["/bin/bash", "-c", curl("http://x", hostile).replace("curl", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert arguments == [
        "-F",
        "image_blob=@digit.png",
        f"http://x/inference?experiment_name={hostile}",
    ]
    compile(python("http://x", hostile), "copied", "exec")


def test_any_file_name_reaches_curl_unchanged() -> None:
    command = curl_many("http://x", ["a b", "c"], ['we"ird; n\\ame.png', "plain.png"])
    arguments = subprocess.run(
        ["/bin/bash", "-c", command.replace("curl", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert arguments == [
        "-F",
        'images=@"we\\"ird; n\\\\ame.png"',
        "-F",
        "images=@plain.png",
        "http://x/predictions?experiments=a+b&experiments=c",
    ]


@pytest.mark.parametrize(
    "client", [name for name, one in SNIPPETS.items() if one.language != "bash"]
)
def test_program_with_a_hostile_name_has_it_as_text(client: str) -> None:
    text = SNIPPETS[client].text(API, HOSTILE)
    assert [one for one in literals(text) if isinstance(one, str) and "touch" in one] != []
    assert "touch" not in {
        node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)
    }


def test_tensorflow_serving_with_a_hostile_name_quotes_it() -> None:
    arguments = arguments_of_curl(tensorflow_serving(API, HOSTILE))
    assert arguments[:2] == ["-d", "@-"]
    [address] = arguments[2:]
    assert address.startswith("http://localhost:9090/v1/models/a%22%27%3B%20touch")


@pytest.mark.parametrize("snippet", [kserve, mlflow, own_client, tensorflow_serving, tritonclient])
def test_snippet_has_the_address_beside_the_api(snippet: object) -> None:
    assert callable(snippet)
    assert "/api/" not in snippet(API, "lenet")


def test_version_is_where_the_client_expects_it() -> None:
    assert literals(tritonclient(API, "lenet@3")) >= {"localhost:9090", "lenet", "3"}
    assert "/v1/models/lenet/versions/3:predict" in tensorflow_serving(API, "lenet@3")
    assert "9090/mlflow/lenet@3" in literals(mlflow(API, "lenet@3"))
    assert "lenet@3" in literals(kserve(API, "lenet@3"))


@pytest.mark.parametrize("name", ["lenet", "mnist@champion", "mnist@2024-q1"])
def test_name_without_a_version_number_stays_whole(name: str) -> None:
    assert name in literals(tritonclient(API, name))
    assert "model_version" not in tritonclient(API, name)
    assert f"/v1/models/{name}:predict" in tensorflow_serving(API, name)


def test_address_of_https_with_a_prefix_is_kept() -> None:
    api = "https://ml.example/mnist/api/v1.0"
    assert '"ml.example/mnist", ssl=True' in tritonclient(api, "a")
    assert "https://ml.example/mnist" in literals(kserve(api, "a"))
    assert "https://ml.example/mnist" in literals(own_client(api, "a"))
    assert "https://ml.example/mnist/mlflow/a" in literals(mlflow(api, "a"))
    assert tensorflow_serving(api, "a").endswith("https://ml.example/mnist/v1/models/a:predict")


def test_mlflow_without_a_port_has_that_of_http() -> None:
    assert {"ml.example", "80/mlflow/a"} <= literals(mlflow("http://ml.example/api/v1.0", "a"))


@pytest.mark.parametrize(
    "client", ["ml_ops_starter_client", "tritonclient", "kserve", "TensorFlow Serving", "MLflow"]
)
def test_snippet_is_that_of_the_documentation(client: str) -> None:
    """There, tests/integration/protocols/test_documented_clients.py runs it."""
    assert f"\n{SNIPPETS[client].text(API, 'mnist@champion').rstrip()}\n```" in PAGE
