"""Learning loop in a real browser: corrections, a run, its verdict, promotion and rollback.

The service, the worker, the trainings, Postgres and the dashboard are real.
"""

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import FilePayload, Page, expect

from db.initialize import set_up
from db.settings import from_environment
from local import ports
from local import settings as local_settings
from local.postgres import Postgres
from tests.support.dashboard import FIRST_PAINT_MILLISECONDS, find_visible
from tests.support.learning_stack import EXPERIMENT, Images, LearningStack, digests, new_pen, png

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PEN_IMAGES, ON_PAGE = 300, 3
RUN_SECONDS = 240


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The owner's libpq variables for a database with the schema and without rows."""
    folder = tmp_path_factory.mktemp("postgres")
    none = str(folder / "none")
    chosen = {name: str(ports.find_free()) for name in ("WEB_PORT", "API_PORT", "DB_PORT")}
    settings = local_settings.read({**chosen, "LOCAL_DIR": str(folder)})
    server = Postgres(settings)
    try:
        server.open()
        owner = settings.libpq_variables("postgres", settings.owner_password)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**owner, "DATA_CSV": none, "DATA_DIR": none}.items():
                patch.setenv(name, value)
            set_up(from_environment(os.environ))
        yield owner
    finally:
        server.stop(timeout_seconds=5)


@pytest.fixture(scope="module")
def loop(
    database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LearningStack]:
    """A stack whose champion has learned the base dataset, and a worker."""
    running = LearningStack(database, tmp_path_factory.mktemp("loop"))
    try:
        running.start()
        first = running.retrain(seeds=1)
        assert running.wait_until_over(first, RUN_SECONDS)[0] == "SUCCEEDED"
        running.wait(lambda: _is_ready(running, 1))
        running.call("POST", f"runs/{first}/promote", json={"by": "ann", "reason": "the first"})
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def address(loop: LearningStack) -> str:
    return loop.start_dashboard()


def test_corrections_are_learned_promoted_and_rolled_back(
    loop: LearningStack, address: str, page: Page
) -> None:
    images, labels = new_pen(PEN_IMAGES)
    truth = dict(zip(digests(images), map(str, labels), strict=True))
    by_hand = list(zip(images, map(str, labels), strict=True))[:ON_PAGE]
    for number, (image, label) in enumerate(by_hand):
        _correct(page, address, f"{number}.png", png(image), label)
    assert _labels(loop, "dashboard") == {
        digest: truth.pop(digest) for digest in digests(images[:ON_PAGE])
    }
    wrong = _label_others(loop, images[ON_PAGE:], truth)
    assert wrong > PEN_IMAGES / 2, "the champion must not know the pen"

    page.goto(f"{address}/pipelines")
    _retrain(page)
    heading = page.get_by_role("heading", name=f"Run 2: {EXPERIMENT}")
    expect(heading).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text("Promote: the candidate is better")).to_be_visible(
        timeout=RUN_SECONDS * 1000
    )
    assert loop.champion() == (EXPERIMENT, 1), "the verdict waits for a person"
    loop.wait(lambda: _is_ready(loop, 2), RUN_SECONDS)
    assert set(_versions(loop, images)) == {1}
    learned = "SELECT image_digest FROM dataset_images WHERE source = 'correction'"
    assert {(digest,) for digest in digests(images[:ON_PAGE])} <= set(loop.rows(learned))

    _confirm(page, "Promote", "better on both sets")
    expect(find_visible(page, "Promoted")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    assert loop.champion() == (EXPERIMENT, 2)
    assert set(_versions(loop, images)) == {2}

    _confirm(page, "Roll back", "misreads 7")
    expect(find_visible(page, "Rolled back")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)
    assert loop.champion() == (EXPERIMENT, 1)
    assert set(_versions(loop, images)) == {1}
    moves = "SELECT run_id, moved_by, reason FROM alias_history ORDER BY event_id DESC LIMIT 2"
    assert loop.rows(moves) == [(2, "ann", "misreads 7"), (2, "ann", "better on both sets")]


def _correct(page: Page, address: str, name: str, image: bytes, label: str) -> None:
    """Upload an image on Predict and click its correct label."""
    page.goto(f"{address}/predict?all=true")
    page.get_by_role("tab", name="Upload").click(timeout=FIRST_PAINT_MILLISECONDS)
    page.locator("input[type=file]").set_input_files(
        [FilePayload(name=name, mimeType="image/png", buffer=image)]
    )
    buttons = page.locator("[data-testid=stButtonGroup]").filter(has_text="Correct label")
    buttons.get_by_role("radio", name=label, exact=True).click(timeout=FIRST_PAINT_MILLISECONDS)
    expect(page.get_by_text(f"Labeled {label}")).to_be_visible(timeout=FIRST_PAINT_MILLISECONDS)


def _label_others(loop: LearningStack, images: Images, truth: dict[str, str]) -> int:
    """Label predictions of images, half of them on request. Return how many were wrong."""
    answers = loop.predict(images)
    stored = "SELECT count(*) FROM images WHERE stored_at IS NOT NULL"
    loop.wait(lambda: loop.rows(stored) == [(PEN_IMAGES,)])
    asked = {"task": "mnist", "images": PEN_IMAGES // 2, "by": "ann"}
    loop.call("POST", "label-requests", json=asked)
    queue = loop.call("GET", "label-requests", params={"task": "mnist", "limit": PEN_IMAGES})
    requests = {one["image_digest"]: one["request_id"] for one in queue["requests"]}
    assert len(requests) == PEN_IMAGES // 2
    for digest, label in truth.items():
        document: dict[str, object] = {"label": label, "labelled_by": "ann"}
        if digest in requests:
            document["answers_request"] = requests[digest]
        loop.call("PUT", f"predictions/{answers[digest]['prediction_id']}/label", json=document)
    return sum(answers[digest]["class"] != label for digest, label in truth.items())


def _retrain(page: Page) -> None:
    page.get_by_role("button", name="Retrain").first.click(timeout=FIRST_PAINT_MILLISECONDS)
    form = page.locator("[data-testid=stForm]").filter(visible=True).first
    picker = form.get_by_role("combobox", name="Experiment")
    picker.click()
    picker.fill(EXPERIMENT)
    page.get_by_role("option", name=EXPERIMENT, exact=True).click()
    form.get_by_role("spinbutton", name="Seeds").fill("1")
    form.get_by_role("textbox", name="Your name").fill("ann")
    form.get_by_role("textbox", name="Reason").fill("a new pen")
    form.get_by_role("button", name="Retrain").click()


def _confirm(page: Page, action: str, reason: str) -> None:
    """Open the form of an action, give a reason and send it. The author is known."""
    page.get_by_role("button", name=re.compile(f"{action}$")).first.click(
        timeout=FIRST_PAINT_MILLISECONDS
    )
    form = page.locator("[data-testid=stForm]").filter(visible=True).first
    expect(form.get_by_role("textbox", name="Your name")).to_have_value("ann")
    form.get_by_role("textbox", name="Reason").fill(reason)
    form.get_by_role("button", name=action).click()
    form.wait_for(state="hidden", timeout=FIRST_PAINT_MILLISECONDS)


def _labels(loop: LearningStack, author: str) -> dict[str, str]:
    """Return the labels of an author by image digest."""
    statement = (
        "SELECT i.digest, l.label FROM labels l JOIN images i ON i.id = l.image_id"
        " WHERE l.labelled_by = %s"
    )
    return dict(loop.rows(statement, author))


def _versions(loop: LearningStack, images: Images) -> list[int]:
    """Return the versions of the champion that answer for images."""
    return [answer["version"] for answer in loop.predict(images[:5]).values()]


def _is_ready(loop: LearningStack, version: int) -> bool:
    statement = "SELECT 1 FROM model_versions WHERE version = %s AND status = 'READY'"
    return bool(loop.rows(statement, version))
