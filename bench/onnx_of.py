"""`python -m bench.onnx_of TFLITE ONNX`: the same model for ONNX Runtime, with a batch of any size."""

import subprocess
import sys
from pathlib import Path

import onnx

OPSET = 15


def main() -> None:
    """Convert, and free the first dimension, which the flatbuffer has as 1."""
    litert, target = sys.argv[1:]
    subprocess.run(
        [sys.executable, "-m", "tf2onnx.convert", "--tflite", litert, "--output", target, "--opset", str(OPSET)], check=True
    )
    model = onnx.load(target)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]
    onnx.save(model, str(Path(target)))


if __name__ == "__main__":
    main()
