"""Compiler worker: main loop of the child process that compiles models.

Model files are code, and TensorFlow takes 500 MB that serving does not need. Started as
`python -P -s -m inference.compiler.sandbox inference.compiler.worker` by process.py.

Standard input is a socket. The worker sends one line once TensorFlow is loaded. Each job arrives
with the descriptors of its files, and is answered with one line. Results are files in the working
directory, the only place that the worker may write.
"""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inference.compiler import conversion, sandbox
from inference.compiler.child_errors import NO_TENSORFLOW, OUT_OF_MEMORY, CompilationError
from inference.compiler.process import SAVED_MODEL_FILES, read_line
from inference.model_format.card import KERAS_FILE, LITERT_FILE, InvalidCardError
from inference.model_format.safe_open import MAX_MODEL_BYTES, RejectedModelError
from inference.runtime.network import UnservableModelError

MAX_ERROR_LENGTH = 300  # of a message from Keras or TensorFlow


def _run(job: Mapping[str, Any], descriptors: Sequence[int]) -> dict[str, Any]:
    """Run one job. Raises the errors of the conversions."""
    contents = []
    for descriptor in descriptors:
        with os.fdopen(descriptor, "rb") as file:
            contents.append(file.read(MAX_MODEL_BYTES + 1))
    if job["kind"] == "h5":
        Path(KERAS_FILE).write_bytes(conversion.upgrade_h5(contents[0]))
        return {}
    if job["kind"] == "saved_model":
        card, flatbuffer = conversion.compile_saved_model(
            dict(zip(job["names"], contents, strict=True)), job["declared"]
        )
    else:
        card, flatbuffer = conversion.compile_keras(contents[0], job["declared"])
    Path(LITERT_FILE).write_bytes(flatbuffer)
    return {"card": asdict(card)}


def _reply_to(job: Mapping[str, Any], descriptors: Sequence[int]) -> dict[str, Any]:
    """Return the reply to a job: its result or its error."""
    try:
        return {"error": None, **_run(job, descriptors)}
    except (
        RejectedModelError,
        CompilationError,
        UnservableModelError,
        InvalidCardError,
    ) as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": OUT_OF_MEMORY}
    except Exception as error:  # noqa: BLE001  # a failing model must not stop later jobs
        if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's MemoryError
            return {"error": OUT_OF_MEMORY}
        # Keras describes the whole model first, and the error last.
        message = (
            " ".join(str(error).rpartition("Exception encountered: ")[2].split())
            or type(error).__name__
        )
        return {
            "error": f"Keras cannot load or convert the model: "
            f"{message[:MAX_ERROR_LENGTH].rstrip('.')}. Correct it and save it again."
        }


def main() -> None:
    """Run jobs until the other end of the socket closes."""
    channel = socket.socket(fileno=0)
    try:
        import keras  # noqa: PLC0415  # imports TensorFlow, which takes seconds
    except ImportError:
        _send(channel, {"error": NO_TENSORFLOW})
        return
    _send(channel, {"error": None})
    while True:
        _, descriptors, _, _ = socket.recv_fds(channel, 1, len(SAVED_MODEL_FILES))
        if not descriptors:
            return
        job = json.loads(read_line(channel))
        sandbox.limit_cpu()
        _send(channel, _reply_to(job, descriptors))
        keras.utils.clear_session()


def _send(channel: socket.socket, reply: dict[str, Any]) -> None:
    channel.sendall(json.dumps(reply).encode() + b"\n")


if __name__ == "__main__":
    main()
