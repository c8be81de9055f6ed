"""Machine description for the report, without host names or paths."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = (
    "ai-edge-litert",
    "onnxruntime",
    "connexion",
    "fastapi",
    "uvicorn",
    "uvloop",
    "tensorflow-cpu",
    "keras",
)


def description() -> str:
    """Return cores, processor, Python and package versions."""
    return f"{hardware()}; {', '.join(f'{name} {version(name)}' for name in PACKAGES)}"


def hardware() -> str:
    """Return cores, processor and Python version."""
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {_processor()}, {system}"


def load_average() -> str:
    """Return the load average of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
