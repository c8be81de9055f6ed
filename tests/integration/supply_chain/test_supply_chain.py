"""What is taken from others.

The page of licences, the files without addresses, and a check that can fail.
"""

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
# What the images have: the markers of the locks are about these.
IMAGE = {
    "python_version": "3.13",
    "python_full_version": "3.13.0",
    "sys_platform": "linux",
    "platform_machine": "x86_64",
}


def packages(lock: str) -> set[str]:
    """Return the names of what a lock installs in an image."""
    lines = (ROOT / "requirements" / f"{lock}.txt").read_text().splitlines()
    wanted = [Requirement(line.removesuffix(" \\")) for line in lines if line[:1].isalnum()]
    return {each.name for each in wanted if each.marker is None or each.marker.evaluate(IMAGE)}


@pytest.mark.parametrize("image", sbom.IMAGES)
def test_the_page_of_licences_has_every_package_of_an_image(image: str) -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", sbom.PAGE.read_text(), re.MULTILINE)
    listed = {name: licence for name, licence, images in rows if image in images.split(", ")}
    wanted = set().union(*[packages(lock) for lock in sbom.IMAGES[image]])
    assert wanted == listed.keys()
    assert [name for name, licence in listed.items() if licence == "undeclared"] == []


@pytest.mark.parametrize(
    "lock", sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))
)
def test_a_lock_has_a_hash_for_every_file_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert [entry.split(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_every_install_of_an_image_demands_hashes() -> None:
    for dockerfile in ROOT.glob("*/Dockerfile"):
        commands = dockerfile.read_text().replace("\\\n", " ")
        installs = re.findall(r"pip --python \S+ install[^&]*", commands)
        assert installs
        assert [
            command
            for command in installs
            if "--require-hashes" not in command or "--no-deps" not in command
        ] == []


class Vulnerabilities(BaseHTTPRequestHandler):
    """Answers as OSV does: one version of one package has a fault."""

    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = query["package"]["name"]
        self.asked.append(name)
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


def test_an_audit_asks_for_every_package_and_fails_for_a_vulnerable_one(osv_url: str) -> None:
    done = audit("db", ["-s", "osv", "--osv-url", osv_url])
    assert packages("db") <= set(Vulnerabilities.asked)
    assert (done.returncode, re.findall(r"(\S+) +\S+ +PYSEC-0000-1", done.stdout)) == (
        1,
        ["sqlparse"],
    )


def test_an_audit_that_gets_no_answer_fails() -> None:
    assert (
        audit(
            "db", ["-s", "osv", "--osv-url", "http://127.0.0.1:9/v1/query", "--timeout", "1"]
        ).returncode
        == 1
    )
