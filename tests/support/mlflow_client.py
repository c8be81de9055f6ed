"""The MLflow client of the tests: scripts of people, run in the environment of its lock."""

import os
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

from supply_chain.tools import tools_python

SCRIPTS = Path(__file__).parents[1] / "corpus" / "training_scripts"


def start_script(name: str, url: str, *arguments: str, key: str = "") -> subprocess.Popen[str]:
    """Start a script whose tracking server is at `url`, with an API key if there is one."""
    variables = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PG")},
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_TRACKING_TOKEN": key,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # The requirements of a model are found by loading it in another process.
        "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return subprocess.Popen(
        [client_python(), str(SCRIPTS / f"{name}.py"), *arguments],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_script(name: str, url: str, *arguments: str, key: str = "") -> str:
    """Run a script to its end and return what it printed."""
    return finish(start_script(name, url, *arguments, key=key))


def finish(process: subprocess.Popen[str], timeout_seconds: float = 200) -> str:
    """Wait for the successful end of a script and return what it printed."""
    return _communicate(process, timeout_seconds)[0]


def read_log(process: subprocess.Popen[str], timeout_seconds: float = 400) -> str:
    """Wait for the successful end of a script and return what it logged."""
    return _communicate(process, timeout_seconds)[1]


def _communicate(process: subprocess.Popen[str], timeout_seconds: float) -> tuple[str, str]:
    try:
        output, log = process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode == 0, log
    return output, log


@cache
def client_python() -> str:
    """Return the Python of the client, which finds TensorFlow in the project's environment."""
    program = Path(tools_python("mlflow"))
    [packages] = (program.parents[1] / "lib").glob("python*/site-packages")
    # After the client's own packages, whose versions differ.
    (packages / "project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return str(program)
