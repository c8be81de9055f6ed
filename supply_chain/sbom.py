"""SBOM command: `python -m supply_chain.sbom` lists the components of each image.

It writes a CycloneDX file per image and doc/licenses.md for all of them. The packages of a lock
file are installed into a separate folder, for the Python and platform of the images, and
cyclonedx-py reads their metadata. Base images are excluded, because they have their own lists.
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

from supply_chain.tools import ROOT, UV, tools_python

DIRECTORY = ROOT / ".local" / "sbom"
PAGE = ROOT / "doc" / "licenses.md"
IMAGES = {
    "inference": ("inference", "tensorflow"),
    "pipeline": ("inference", "tensorflow", "pipeline"),
    "web": ("web",),
    "db-setup": ("db",),
    "pgadmin": ("pgadmin",),
}
TARGET = ("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28")
# Packages that declare their license only in its text.
UNDECLARED = {
    "keras": "Apache-2.0",
    "namex": "Apache-2.0",
    "partd": "BSD-3-Clause",
    "pgadmin4": "PostgreSQL",
    "protobuf": "BSD-3-Clause",
    "pydeck": "Apache-2.0",
    "uritemplate": "BSD-3-Clause OR Apache-2.0",
}
CLASSIFIER = "License :: OSI Approved :: "
MAX_NAME_LENGTH = 80  # some packages put the license text into the name field

PAGE_HEADER = """# Licenses

Third-party packages in the images, with the license that each package declares. The project's own
code and the base images are not listed. `make sbom` writes this page, and a CycloneDX list with
versions for each image to `.local/sbom/`.

| package | license | images |
|---|---|---|
"""

Component = Mapping[str, Any]


def list_components(locks: Iterable[str], output: Path) -> list[Component]:
    """Write the components of some lock files to a file and return them.

    Raises CalledProcessError.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-sbom-") as folder:
        subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        [packages] = Path(folder).glob("lib/python*/site-packages")
        requirements = [
            argument
            for lock in locks
            for argument in ("-r", str(ROOT / "requirements" / f"{lock}.txt"))
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
        command = [
            tools_python(),
            "-m",
            "cyclonedx_py",
            "environment",
            "--output-reproducible",
            "-o",
            str(output),
            folder,
        ]
        # stderr has warnings about the metadata of packages.
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    components: list[Component] = json.loads(output.read_text())["components"]
    return components


def license_text(component: Component) -> str:
    """Return the names of a component's licenses, preferably SPDX names.

    Returns `undeclared` if it names none.
    """
    declared = [
        entry.get("expression") or entry["license"].get("id") or entry["license"]["name"]
        for entry in component.get("licenses", ())
    ]
    spdx_names = [name for name in declared if not name.startswith("License ::")]
    names = [
        name.removeprefix(CLASSIFIER)
        for name in spdx_names or declared
        if len(name) < MAX_NAME_LENGTH and "\n" not in name
    ]
    return ", ".join(dict.fromkeys(names)) or UNDECLARED.get(
        component["name"].lower(), "undeclared"
    )


def render_page(components_by_image: Mapping[str, Iterable[Component]]) -> str:
    """Return the license page, with a row per package in alphabetical order."""
    licenses: dict[str, str] = {}
    images: dict[str, list[str]] = defaultdict(list)
    for image, components in components_by_image.items():
        for component in components:
            name = re.sub(r"[._]+", "-", component["name"].lower())
            licenses[name] = license_text(component)
            images[name].append(image)
    return PAGE_HEADER + "".join(
        [
            f"| {name} | {licenses[name]} | {', '.join(images[name])} |\n"
            for name in sorted(licenses)
        ]
    )


def main() -> None:
    """Write the lists and the page."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    components_by_image = {}
    for image, locks in IMAGES.items():
        output = DIRECTORY / f"{image}.cdx.json"
        components_by_image[image] = list_components(locks, output)
        print(
            f"{image}: {len(components_by_image[image])} components, {output.relative_to(ROOT)}",
            flush=True,
        )
    PAGE.write_text(render_page(components_by_image))
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
