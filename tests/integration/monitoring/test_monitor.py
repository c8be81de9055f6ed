"""The monitor finds a change in stored predictions, and opens one alert for it."""

import pytest

from monitoring import reading
from tests.support.monitored import STORE_ORIGINALS, MonitoredTask, draw


def test_usual_images_open_no_alert(task: MonitoredTask) -> None:
    task.add_reference()
    task.send(draw(2, 500))
    task.look()
    assert task.alerts() == []
    images = task.rows(
        "SELECT family, images FROM drift_monitors WHERE path = 'as_sent' ORDER BY family"
    )
    assert images == [("confidence", 500), ("inputs", 500), ("labels", 500), ("novelty", 500)]


def test_turned_images_open_one_alert(task: MonitoredTask) -> None:
    task.add_reference()
    task.send(draw(2, 200))
    onset = task.at
    task.send(draw(3, 60, turn=25), source="scanner/2")
    task.look()
    [alert] = task.rows(
        "SELECT severity, families, onset_at, image_number, features, sources, example_images,"
        " closed_at FROM alerts"
    )
    severity, families, onset_at, image_number, features, sources, examples, closed_at = alert
    assert (severity, {"inputs", "novelty"} - set(families), closed_at) == ("warning", set(), None)
    assert abs((onset_at - onset).total_seconds()) < 1  # 10 images
    assert 200 < image_number < 215
    assert "slant" in {feature["feature"] for feature in features}
    assert sources["scanner/2"] > 0.7
    assert 1 <= len(examples.strip("{}").split(",")) <= 8


def test_division_into_checks_changes_no_figure(
    task: MonitoredTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    task.add_reference()
    task.send(draw(2, 200))
    task.send(draw(3, 60, turn=25))
    task.send(draw(4, 700))
    figures = []
    for rows in (1024, 37):
        monkeypatch.setattr(reading, "MAX_ROWS", rows)
        task.look()
        figures.append((task.alerts(), task.states()))
        task.rows("TRUNCATE drift_checks, drift_monitors, alerts, retrain_requests")
        task.replace_monitor()
    assert figures[0] == figures[1]
    [alert] = figures[0][0]
    assert alert[-1] == "Over: 500 images passed without further evidence."


@pytest.mark.parametrize(
    ("source", "side", "warnings"),
    [
        ("mlops-evaluation", 28, ()),
        ("mlops-dashboard", 280, ()),
        ("curl/8", 28, ("several digits (2)",)),
    ],
)
def test_images_that_do_not_count_open_no_alert(
    task: MonitoredTask, source: str, side: int, warnings: tuple[str, ...]
) -> None:
    task.add_reference()
    task.send(draw(3, 60, turn=25), source=source, side=side, warnings=warnings)
    task.look()
    assert task.alerts() == []
    assert task.rows("SELECT sum(images), min(cursor) > 0 FROM drift_monitors WHERE path <> 'all'")[
        0
    ] == (0, True)


def test_repeated_image_is_one_image(task: MonitoredTask) -> None:
    task.add_reference()
    for _ in range(3):
        task.send(draw(3, 1, turn=25))
        task.look()
    assert task.rows("SELECT max(images) FROM drift_monitors") == [(1,)]


def test_confidence_of_the_champion_makes_it_critical(task: MonitoredTask) -> None:
    """Too few labels wait, so labels are asked for, once."""
    task.add_reference()
    task.rows(STORE_ORIGINALS)
    task.send(draw(2, 200))
    task.send(draw(3, 120, turn=25).with_doubt())
    task.look()
    [alert] = task.open_alerts()
    assert alert[2] == "critical"
    asked = "SELECT why, requested_by, count(*) FROM label_requests GROUP BY 1, 2 ORDER BY 1"
    [identifier] = task.rows("SELECT id FROM alerts")[0]
    by = f"monitor, alert {identifier}"
    assert task.rows(asked)[1] == ("random", by, 50)
    assert 40 < task.rows(asked)[0][2] <= 50
    assert task.rows("SELECT * FROM retrain_requests") == []
    task.send(draw(4, 60, turn=25).with_doubt())
    task.look()
    assert sum(row[2] for row in task.rows(asked)) <= 100


def test_critical_alert_with_labels_requests_retraining(task: MonitoredTask) -> None:
    task.add_reference()
    task.rows(STORE_ORIGINALS)
    task.send(draw(2, 220))
    task.rows(
        "INSERT INTO labels (image_id, task, label, labelled_by)"
        " SELECT id, 'mnist', '1', 'ann' FROM images"
    )
    task.send(draw(3, 120, turn=25).with_doubt())
    task.look()
    [(requested_by, labels, reason, status)] = task.rows(
        "SELECT requested_by, labels_since, reason, status FROM retrain_requests"
    )
    assert (requested_by, labels, status) == ("monitor", 220, "waiting")
    assert reason.startswith("Drift of mnist (")
    assert task.rows("SELECT * FROM label_requests") == []


def test_new_champion_gets_new_detectors(task: MonitoredTask) -> None:
    task.add_reference()
    challenger = task.add_version("challenger")
    task.point("challenger", "challenger")
    task.add_reference(challenger)
    task.look()
    families = """
        SELECT family FROM drift_monitors
        WHERE model_version_id = %s AND path = 'framed' AND watched
    """
    assert len(task.rows(families, challenger)) == 2
    task.send(draw(2, 50, turn=25))
    task.look()
    assert len(task.open_alerts()) == 1
    task.point("former", "champion")
    task.point("champion", "challenger")
    task.monitor._watch.reset()
    task.look()
    assert task.open_alerts() == []
    assert task.rows("SELECT close_reason FROM alerts") == [("Another version is the champion.",)]
    assert len(task.rows(families, challenger)) == 4
    task.send(draw(3, 50, turn=25), version=challenger)
    task.look()
    assert len(task.open_alerts()) == 1


def test_drift_of_two_versions_is_one_alert(task: MonitoredTask) -> None:
    task.add_reference()
    challenger = task.add_version("challenger")
    task.point("challenger", "challenger")
    task.add_reference(challenger)
    for seed, turn in ((2, 0), (3, 25)):
        digits = draw(seed, 100, turn=turn)
        for version in (challenger, task.champion):
            task.send(digits.with_doubt() if turn else digits, version=version)
    task.look()
    [(version,)] = task.rows("SELECT model_version_id::text FROM alerts WHERE closed_at IS NULL")
    assert version == task.champion


def test_random_labels_show_a_worse_model(task: MonitoredTask) -> None:
    task.add_reference()
    task.send(draw(2, 60))
    task.look()
    for source, expected in (
        ("volunteered", []),
        ("random", [("accuracy", ["accuracy"], "warning")]),
    ):
        task.rows("TRUNCATE labels CASCADE")
        task.rows(
            "INSERT INTO labels (image_id, task, label, labelled_by, source)"
            " SELECT i.id, 'mnist', 'wrong', 'ann', %s FROM images i",
            source,
        )
        task.look()
        assert task.open_alerts() == expected
    task.look()
    [state] = task.rows("SELECT images, evidence > 0 FROM drift_monitors WHERE family = 'accuracy'")
    assert state == (60, True)


def test_monitor_far_behind_skips_to_the_newest(
    task: MonitoredTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_ROWS", 50)
    monkeypatch.setattr(reading, "MAX_BEHIND", 100)
    task.add_reference()
    task.send(draw(2, 300))
    task.look()
    assert task.rows(
        "SELECT images, skipped FROM drift_monitors WHERE family = 'inputs' AND path = 'as_sent'"
    ) == [(0, 300)]
    task.send(draw(3, 90))
    task.look()
    assert task.rows("SELECT max(images) FROM drift_monitors") == [(90,)]


def test_fast_traffic_is_thinned(service_database: dict[str, str]) -> None:
    task = MonitoredTask(service_database, MONITOR_IMAGES_PER_SECOND="2")
    task.add_reference()
    task.send(draw(2, 200), per_second=100)
    task.look()
    [(images, skipped)] = task.rows(
        "SELECT images, skipped FROM drift_monitors WHERE family = 'inputs' AND path = 'as_sent'"
    )
    assert (images + skipped, images < 40) == (200, True)
    task.close()
