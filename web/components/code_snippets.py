"""Code snippets to copy: one prediction with curl, Python and the clients of serving protocols.

doc/protocols.md has the same snippets, and a test runs them from there.
"""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

API_PATH = "/api/v1.0"


def curl(api_url: str, name: str) -> str:
    """Return a command that predicts digit.png with one model."""
    url = f"{api_url}/inference?experiment_name={name}"
    return f"curl -F image_blob=@digit.png {shlex.quote(url)}"


def curl_many(api_url: str, names: Sequence[str], files: Sequence[str]) -> str:
    """Return a command that predicts image files with several models in one request.

    Args:
        api_url: base URL of the API.
        names: names of the models, or ["all"].
        files: names of the image files.

    """
    query = urlencode([("experiments", name) for name in names])
    parts = [
        shlex.quote(f'images=@"{_escape(file)}"' if set(file) & set(',;"\\') else f"images=@{file}")
        for file in files
    ]
    return " \\\n  ".join(
        ["curl", *(f"-F {part}" for part in parts), shlex.quote(f"{api_url}/predictions?{query}")]
    )


def _escape(file: str) -> str:
    return file.replace("\\", "\\\\").replace('"', '\\"')


def python(api_url: str, name: str) -> str:
    """Return a program that predicts digit.png with one model, with requests."""
    return f"""import requests

with open("digit.png", "rb") as image:
    response = requests.post(
        {_literal(api_url + "/inference")},
        params={{"experiment_name": {_literal(name)}}},
        files={{"image_blob": image}},
        timeout=10,
    )
response.raise_for_status()
print(response.json()["class"])
"""


def own_client(api_url: str, name: str) -> str:
    """Return a program that predicts digit.png with one model, with this project's client."""
    return f"""# make client && pip install client/dist/*.whl
from ml_ops_starter_client import predict

entry = predict("digit.png", {_literal(name)}, url={_literal(_server(api_url))})
print(entry["answers"][0]["class"])
"""


def tritonclient(api_url: str, name: str) -> str:
    """Return a program that predicts digit.png with one model, with Triton's client."""
    server = urlsplit(_server(api_url))
    ssl = ", ssl=True" if server.scheme == "https" else ""
    model, version = _split(name)
    chosen = f', model_version="{version}"' if version else ""
    return f"""# pip install "tritonclient[http]"
import numpy as np
import tritonclient.http

client = tritonclient.http.InferenceServerClient({_literal(server.netloc + server.path)}{ssl})
with open("digit.png", "rb") as image:
    files = np.array([image.read()], dtype=object)
tensor = tritonclient.http.InferInput("image", [1], "BYTES")
tensor.set_data_from_numpy(files)
answer = client.infer({_literal(model)}, [tensor]{chosen})
print(answer.as_numpy("probabilities").argmax(axis=1))
"""


def kserve(api_url: str, name: str) -> str:
    """Return a program that predicts digit.png with one model, with KServe's client."""
    return f"""# pip install kserve
import asyncio

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

model = {_literal(name)}


async def main() -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    with open("digit.png", "rb") as image:
        files = np.array([image.read()], dtype=object)
    tensor = InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(files)
    request = InferRequest(model, [tensor])
    answer = await client.infer({_literal(_server(api_url))}, request, model)
    print(answer.outputs[0].as_numpy().argmax(axis=1))


asyncio.run(main())
"""


def tensorflow_serving(api_url: str, name: str) -> str:
    """Return a command that predicts digit.png with one model, as with TensorFlow Serving."""
    model, version = _split(name)
    path = quote(model, safe="@") + (f"/versions/{version}" if version else "")
    url = f"{_server(api_url)}/v1/models/{path}:predict"
    body = """'{"instances": [{"b64": "%s"}]}' "$(base64 < digit.png | tr -d '\\n')\""""
    return f"printf {body} |\n  curl -d @- {shlex.quote(url)}"


def mlflow(api_url: str, name: str) -> str:
    """Return a program that predicts digit.png with one model, with MLflow's client."""
    server = urlsplit(_server(api_url))
    host, _, port = server.netloc.partition(":")
    path = f"{server.path}/mlflow/{quote(name, safe='@')}"
    # The client joins host and port to an address of HTTP.
    client = f"ScoringServerClient({_literal(host)}, {_literal((port or '80') + path)})"
    if server.scheme == "https":
        address = f"https://{server.netloc}{path}"
        client = (
            f'ScoringServerClient({_literal(host)}, "443")\nclient.url_prefix = {_literal(address)}'
        )
    return f"""# pip install mlflow
import numpy as np
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from PIL import Image

client = {client}
image = np.array(Image.open("digit.png").convert("L"))  # 28x28 pixels, light ink on black
answer = client.invoke(image[np.newaxis])
print(answer.get_predictions("ndarray").argmax(axis=1))
"""


@dataclass(frozen=True)
class Snippet:
    """Snippet of one client: its language, and its text by API address and name of the model."""

    language: str
    text: Callable[[str, str], str]


# By the name of the client.
SNIPPETS: Mapping[str, Snippet] = {
    "curl": Snippet("bash", curl),
    "Python": Snippet("python", python),
    "ml_ops_starter_client": Snippet("python", own_client),
    "tritonclient": Snippet("python", tritonclient),
    "kserve": Snippet("python", kserve),
    "TensorFlow Serving": Snippet("bash", tensorflow_serving),
    "MLflow": Snippet("python", mlflow),
}


def _server(api_url: str) -> str:
    """Return the address of the serving protocols, which are beside the API."""
    return api_url.removesuffix(API_PATH)


def _literal(text: str) -> str:
    """Return a text as it is written in Python, with double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _split(name: str) -> tuple[str, str]:
    """Split NAME@3 into name and version. The version of another name is empty."""
    model, _, version = name.rpartition("@")
    return (model, version) if model and version.isdecimal() else (name, "")
