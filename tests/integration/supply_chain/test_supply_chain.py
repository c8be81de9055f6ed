"""Supply chain: license page, lock files and vulnerability audit."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from packaging.requirements import Requirement

from supply_chain import sbom
from supply_chain.audit import audit

ROOT = Path(__file__).parents[3]
# Environment of the images, for the markers in the lock files.
IMAGE = {
    "python_version": "3.13",
    "python_full_version": "3.13.0",
    "sys_platform": "linux",
    "platform_machine": "x86_64",
}


def packages(lock: str) -> set[str]:
    """Return the names of the packages that a lock file installs in an image."""
    lines = (ROOT / "requirements" / f"{lock}.txt").read_text().splitlines()
    requirements = [Requirement(line.removesuffix(" \\")) for line in lines if line[:1].isalnum()]
    return {
        requirement.name
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(IMAGE)
    }


@pytest.mark.parametrize("image", sbom.IMAGES)
def test_license_page_lists_all_packages_of_an_image(image: str) -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", sbom.PAGE.read_text(), re.MULTILINE)
    listed = {
        name: license_name for name, license_name, images in rows if image in images.split(", ")
    }
    requirements = set().union(*[packages(lock) for lock in sbom.IMAGES[image]])
    assert requirements == listed.keys()
    assert [name for name, license_name in listed.items() if license_name == "undeclared"] == []


@pytest.mark.parametrize(
    "lock", sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))
)
def test_lock_file_has_hashes_and_no_urls(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert [entry.split(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_dockerfile_installs_require_hashes() -> None:
    for dockerfile in ROOT.glob("*/Dockerfile"):
        commands = dockerfile.read_text().replace("\\\n", " ")
        installs = re.findall(r"pip --python \S+ install[^&]*", commands)
        assert bool(installs) == (" install " in commands.replace("apt-get install", ""))
        assert [
            command
            for command in installs
            if "--require-hashes" not in command or "--no-deps" not in command
        ] == []


class Vulnerabilities(BaseHTTPRequestHandler):
    """Fake of OSV: one package has a vulnerability."""

    requested: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = query["package"]["name"]
        self.requested.append(name)
        affected = [
            {
                "package": {"name": name, "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
            }
        ]
        fault = {"id": "PYSEC-0000-1", "summary": "It is wrong.", "affected": affected}
        body = json.dumps({"vulns": [fault]} if name == "sqlparse" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def osv_url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Vulnerabilities)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


def test_audit_fails_for_a_vulnerable_package(osv_url: str) -> None:
    result = audit("db", ["-s", "osv", "--osv-url", osv_url])
    assert packages("db") <= set(Vulnerabilities.requested)
    assert (result.returncode, re.findall(r"(\S+) +\S+ +PYSEC-0000-1", result.stdout)) == (
        1,
        ["sqlparse"],
    )


def test_audit_without_response_fails() -> None:
    assert (
        audit(
            "db", ["-s", "osv", "--osv-url", "http://127.0.0.1:9/v1/query", "--timeout", "1"]
        ).returncode
        == 1
    )
