"""Leaderboard pages. The queries are tested with a database."""

import pandas as pd

from web.data.leaderboard_queries import LeaderboardPage, TaskSummary


def make_page(matching_count: int) -> LeaderboardPage:
    task_summaries = [
        TaskSummary(task, number, 1, None, None, None, None, None)
        for task, number in (("a", 5), ("b", 7))
    ]
    return LeaderboardPage(pd.DataFrame(), 1, matching_count, tuple(task_summaries))


def test_page_count_is_at_least_one() -> None:
    assert [make_page(0).page_count, make_page(100).page_count, make_page(101).page_count] == [
        1,
        1,
        2,
    ]


def test_removed_experiments_count() -> None:
    assert [make_page(0).experiment_count("a"), make_page(0).experiment_count(None)] == [6, 14]
