"""`python -m supply_chain.sbom`.

A CycloneDX list of the components of each image, and doc/licences.md of all of them.

The packages of a lock are installed into a folder of their own, for the Python and the system of
the images, and cyclonedx-py reads what they say of themselves. The base images are not part of it:
they have lists of their own.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from supply_chain.tools import ROOT, UV, python

DIRECTORY = ROOT / ".local" / "sbom"
PAGE = ROOT / "doc" / "licences.md"
IMAGES = {
    "inference": ("inference", "tensorflow"),
    "web": ("web",),
    "db-setup": ("db",),
    "pgadmin": ("pgadmin",),
}
TARGET = ("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28")
# These say it in the text of their licence alone.
UNDECLARED = {
    "keras": "Apache-2.0",
    "namex": "Apache-2.0",
    "pgadmin4": "PostgreSQL",
    "protobuf": "BSD-3-Clause",
    "pydeck": "Apache-2.0",
    "uritemplate": "BSD-3-Clause OR Apache-2.0",
}
CLASSIFIER = "License :: OSI Approved :: "
LONGEST = 80  # some put the text where the name belongs

HEAD = """# Licences

What the images contain beside the project's own code and their base images, and the licence that each package declares.
`make sbom` writes this page, and for each image a list in the format CycloneDX, with versions, to `.local/sbom/`.

| package | licence | images |
|---|---|---|
"""

Component = Mapping[str, Any]


def components(locks: Iterable[str], output: Path) -> list[Component]:
    """Write what some locks install to a file and return its components. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory(prefix="mlops-sbom-") as folder:
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        [packages] = Path(folder).glob("lib/python*/site-packages")
        requirements = [
            part for lock in locks for part in ("-r", str(ROOT / "requirements" / f"{lock}.txt"))
        ]
        install = [
            UV,
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            *TARGET,
            "--target",
            str(packages),
        ]
        subprocess.run([*install, *requirements], check=True)
        describe = [
            python(),
            "-m",
            "cyclonedx_py",
            "environment",
            "--output-reproducible",
            "-o",
            str(output),
            folder,
        ]
        subprocess.run(
            describe, check=True, stderr=subprocess.DEVNULL
        )  # it warns of what a package says of itself
    found: list[Component] = json.loads(output.read_text())["components"]
    return found


def licence(component: Component) -> str:
    """Return the names of a component's licences, by SPDX where it says so, `undeclared` when it
    names none.
    """
    said = [
        each.get("expression") or each["license"].get("id") or each["license"]["name"]
        for each in component.get("licenses", ())
    ]
    exact = [name for name in said if not name.startswith("License ::")]
    names = [
        name.removeprefix(CLASSIFIER)
        for name in exact or said
        if len(name) < LONGEST and "\n" not in name
    ]
    return ", ".join(dict.fromkeys(names)) or UNDECLARED.get(
        component["name"].lower(), "undeclared"
    )


def page(found: Mapping[str, Iterable[Component]]) -> str:
    """Return the page of licences: a row per package, by name."""
    licences: dict[str, str] = {}
    images: dict[str, list[str]] = defaultdict(list)
    for image, parts in found.items():
        for part in parts:
            name = re.sub(r"[._]+", "-", part["name"].lower())
            licences[name] = licence(part)
            images[name].append(image)
    return HEAD + "".join(
        [
            f"| {name} | {licences[name]} | {', '.join(images[name])} |\n"
            for name in sorted(licences)
        ]
    )


def main() -> None:
    """Write the lists and the page."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    found = {}
    for image, locks in IMAGES.items():
        output = DIRECTORY / f"{image}.cdx.json"
        found[image] = components(locks, output)
        print(f"{image}: {len(found[image])} components, {output.relative_to(ROOT)}", flush=True)
    PAGE.write_text(page(found))
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
