"""Errors of the compiler's child: the reasons of failed models, and its last output."""

import os
import re

from inference.compiler import sandbox
from inference.model_format.safe_open import SAVE_AGAIN

# TensorFlow's import takes 3 s. On a busy machine it takes more than ten times as long.
START_SECONDS = 180
# The largest shipped model takes 2 s. sandbox.CPU_SECONDS limits the CPU time of the same job, and
# must be smaller.
WALL_SECONDS = 30
NO_TENSORFLOW = (
    "TensorFlow is not installed, so the Keras file cannot be compiled. "
    "Provide model.tflite and card.json."
)
OUT_OF_MEMORY = (
    f"Compiling takes more than {sandbox.ADDRESS_SPACE_BYTES // 2**30} GB of memory. "
    "Make a smaller model."
)
STOPPED = "The service stopped before the model was compiled."
TIMED_OUT = (
    f"Compiling takes longer than {WALL_SECONDS} s. "
    "Make a smaller model, or try again when the machine is less busy."
)
CRASHED = "The compiler crashed (exit code {code}). Save the model again, or make a smaller one."
INVALID_REPLY = f"The compiler sent an invalid reply. {SAVE_AGAIN}"
NOT_STARTED = (
    "The compiler did not start. See the output of "
    "`python -P -s -m inference.compiler.sandbox inference.compiler.worker` on this machine."
)
OUT_OF_TIME = (
    f"Compiling takes more than {sandbox.CPU_SECONDS} s of CPU time. Make a smaller model."
)
KILLED = "The compiler was killed, possibly for lack of memory. Make a smaller model."
# TensorFlow logs lines that begin with a severity and the date, such as "I0000 00:00:1795754996".
LOG_LINE = re.compile(r"[IW]\d{4} \d|WARNING: All log messages|\d{4}-\d\d-\d\d .*: [IW] ")
MAX_OUTPUT_BYTES = 16_384
MAX_LINES, MAX_LINE_LENGTH = 2, 120


class CompilationError(Exception):
    """A model could not be compiled to LiteRT. The message says why and what to do."""


class CompilerDiedError(CompilationError):
    """The child died or did not reply. The model may be innocent, so it is tried once more."""


def last_lines(descriptor: int) -> str:
    """Return the last lines of a child's output as a sentence, or an empty string.

    Lines of TensorFlow's log are left out, and paths are reduced to their last part.
    """
    size = os.fstat(descriptor).st_size
    start = max(0, size - MAX_OUTPUT_BYTES)
    text = os.pread(descriptor, MAX_OUTPUT_BYTES, start).decode(errors="replace")
    lines = [
        re.sub(r"\S*/", "", "".join(filter(str.isprintable, line))).strip()[:MAX_LINE_LENGTH]
        for line in text.splitlines()
        if not LOG_LINE.match(line)
    ]
    kept = " / ".join([line for line in lines if line][-MAX_LINES:]).rstrip(".")
    return f" Its last output: {kept}." if kept else ""
