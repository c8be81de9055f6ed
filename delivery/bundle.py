"""Bundle command: `python -m delivery.bundle TAG` builds an image of the service with its models.

The image is the slim one plus a layer with the chosen models. Labels name the revision of the code,
the digest of each model and the probe, which `make smoke` compares. `.local/bundle` gets the same
as bundle.json, and the component list sbom.cdx.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from delivery import components, engine
from delivery.alias_targets import resolve
from delivery.engine import EngineError
from delivery.models import BundledModel, BundleError, choose, read, require_digest
from delivery.probe import Probe, read_probe

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / ".local" / "bundle"
DOCKERFILE = ROOT / "delivery" / "bundle.Dockerfile"
BASE = "ml-ops-starter/inference:slim"
TITLE_LABEL = "org.opencontainers.image.title"
REVISION_LABEL = "org.opencontainers.image.revision"
MODELS_LABEL, PROBE_LABEL = "io.mlops.models", "io.mlops.probe"
UNKNOWN_REVISION = "unknown"
# Equal models make equal layers, whenever they are bundled.
FILE_TIME = 0
MEGABYTE = 10**6


def select(
    models_dir: Path, names: Sequence[str], alias: str | None, task: str | None
) -> list[BundledModel]:
    """Return the chosen models: by name, by the alias, or all. Raises BundleError."""
    digests = {}
    if alias is not None:
        targets = resolve(os.environ, alias, task)
        digests = {(target.name, target.version): target.digest for target in targets}
        names = [f"{name}@{version}" for name, version in digests]
    models = [read(key, files) for key, files in choose(models_dir, names).items()]
    for model in models:
        require_digest(model, digests.get((model.name, model.version)), f"The alias {alias}")
    return models


def stage(models: Iterable[BundledModel], directory: Path) -> None:
    """Write the models to `directory`/models/NAME/VERSION, with equal times and permissions."""
    for model in models:
        folder = directory / "models" / model.name / str(model.version)
        folder.mkdir(parents=True)
        for name, content in model.files.items():
            (folder / name).write_bytes(content)
    for path in sorted((directory / "models").rglob("*"), reverse=True):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (FILE_TIME, FILE_TIME))
    os.utime(directory / "models", (FILE_TIME, FILE_TIME))
    (directory / "models").chmod(0o755)


def describe(models: Iterable[BundledModel], probe: Probe, revision: str) -> dict[str, Any]:
    """Return the JSON document of a bundle: revision, models with digests, and the probe."""
    return {
        "revision": revision,
        "models": [
            {
                "name": model.name,
                "version": model.version,
                "digest": model.digest,
                "task": model.card.task,
            }
            for model in models
        ],
        "probe": probe.document(),
    }


def labels(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of the image of a bundle."""
    return {
        TITLE_LABEL: "ml-ops-starter inference",
        REVISION_LABEL: document["revision"],
        MODELS_LABEL: json.dumps(document["models"], separators=(",", ":")),
        PROBE_LABEL: json.dumps(document["probe"], separators=(",", ":")),
    }


def read_revision(root: Path = ROOT) -> str:
    """Return the commit of the code, with `-dirty` if files differ from it."""
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", str(root), *command],  # noqa: S607
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            for command in (("rev-parse", "HEAD"), ("status", "--porcelain"))
        )
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN_REVISION
    return f"{commit}-dirty" if changes else commit


def build(tag: str, models: Sequence[BundledModel], revision: str, base: str | None) -> None:
    """Build the image of a bundle, and write its two files to OUTPUT.

    Without `base`, the slim image is built first. Raises BundleError, EngineError and
    CalledProcessError.
    """
    probe = read_probe(models)
    engine.require_engine()
    if base is None:
        dockerfile = str(ROOT / "inference" / "Dockerfile")
        engine.build(["--target", "slim", "-t", BASE, "-f", dockerfile, str(ROOT)])
    document = describe(models, probe, revision)
    options = [
        option
        for name, value in labels(document).items()
        for option in ("--label", f"{name}={value}")
    ]
    with tempfile.TemporaryDirectory(prefix="mlops-bundle-") as context:
        stage(models, Path(context))
        arguments = ["--build-arg", f"BASE={base or BASE}", "-f", str(DOCKERFILE)]
        engine.build([*options, *arguments, "-t", tag, context])
    bill = components.with_models(components.read_packages(OUTPUT), models, tag, revision)
    components.write(bill, OUTPUT / "sbom.cdx.json")
    (OUTPUT / "bundle.json").write_text(json.dumps({"image": tag, **document}, indent=1) + "\n")


def summarize(tag: str, models: Sequence[BundledModel]) -> str:
    """Return the sizes of a built bundle in words. Raises EngineError."""
    size = engine.inspect_image(tag)["Size"] / MEGABYTE
    layer = sum(len(content) for model in models for content in model.files.values()) / MEGABYTE
    return (
        f"{tag}: {len(models)} models, {size:.0f} MB with {layer:.1f} MB of models.\n"
        f"{(OUTPUT / 'sbom.cdx.json').relative_to(ROOT)} lists its components. "
        f"Check it with make smoke IMAGE={tag}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the bundle that the arguments describe, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make bundle", description=__doc__)
    parser.add_argument("tag", help="name of the image, such as repository/inference:1.0")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--name", default="", help="models: NAME,NAME@3; default is all")
    choice.add_argument("--alias", help="alias whose targets are bundled, such as champion")
    parser.add_argument("--task", help="task of the alias; default is every task")
    parser.add_argument("--base", help="slim image to build upon, instead of building it")
    parser.add_argument("--revision", help="revision of the code; default is the commit")
    options = parser.parse_args(arguments)
    if options.task and not options.alias:
        parser.error("TASK (--task) is the task of an alias. Set ALIAS (--alias), too.")
    models_dir = Path(os.environ.get("MODELS_DIR") or ROOT / "models")
    names = options.name.replace(",", " ").split()
    try:
        models = select(models_dir, names, options.alias, options.task)
        build(options.tag, models, options.revision or read_revision(), options.base)
        print(summarize(options.tag, models))
    except (BundleError, EngineError) as error:
        print(f"No bundle: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"No bundle: {error.cmd[0]} failed with {error.returncode}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
