"""Peers: other servers of the Open Inference Protocol, with LiteRT and the same model file.

Each one runs in the environment of its lock file, one process, REST only.
"""

import json
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from bench.fixtures.models import CACHE, ROOT
from bench.harness.server import Server, run_server
from local import ports
from supply_chain.tools import tools_python

MLSERVER, KSERVE = "MLServer", "KServe"
MLSERVER_SETTINGS = {
    "debug": False,
    "host": "127.0.0.1",
    "parallel_workers": 0,  # the model runs in the server's process
    "metrics_endpoint": None,
}


def start_mlserver(model: str, file: Path) -> AbstractContextManager[Server]:
    """Start MLServer with a model file."""
    python = tools_python("mlserver")
    folder = CACHE / "mlserver"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = {**MLSERVER_SETTINGS, "grpc_port": ports.find_free()}
    (folder / "settings.json").write_text(json.dumps(settings))
    implementation = "bench.servers.mlserver_litert.LiteRtModel"
    document = {"name": model, "implementation": implementation, "parameters": {"uri": str(file)}}
    (folder / "model-settings.json").write_text(json.dumps(document))
    command = [str(Path(python).with_name("mlserver")), "start", str(folder)]
    environment = {"MLSERVER_HTTP_PORT": "{port}", "PYTHONPATH": str(ROOT)}
    return run_server(MLSERVER, command, environment, ready_path=f"/v2/models/{model}/ready")


def start_kserve(model: str, file: Path) -> AbstractContextManager[Server]:
    """Start KServe's model server with a model file."""
    python = tools_python("kserve")
    command = [python, "-m", "bench.servers.kserve_litert", model, str(file), "{port}"]
    return run_server(KSERVE, command, {}, ready_path=f"/v2/models/{model}/ready")
