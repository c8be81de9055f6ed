from pathlib import Path

import pytest

from run_import.past_run import ImportRunsError
from run_import.sources.wandb import read_exports

CHART = (
    '"Step","run - 1 - loss","run - 1 - loss__MIN","run - 1 - loss__MAX","b - loss"\n'
    '"0","2.5","2.5","2.5",""\n"1","1.5","1.5","1.5","0.5"\n'
)
TABLE = (
    '"Name","State","lr","test_acc","Notes","Tags"\n'
    '"run - 1","finished","0.1","0.98","good","a, b"\n'
)
HISTORY = ",loss,_step,_runtime,val_loss\n0,2.0,0,1.5,\n1,1.0,1,2.5,NaN\n"


def write(folder: Path, **texts: str) -> list[Path]:
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    return sorted(folder.glob("*.csv"))


def test_read_exports_joins_charts_and_table(tmp_path: Path) -> None:
    other, run = read_exports(write(tmp_path, chart=CHART, table=TABLE), "mnist")
    assert (run.name, run.project, run.params) == ("run - 1", "mnist", {"lr": "0.1"})
    assert (run.tags, run.note) == ({"wandb": "a, b"}, "good")
    assert run.metrics == {"loss": [(0, 0, 2.5), (1, 0, 1.5)], "test_acc": [(0, 0, 0.98)]}
    assert (other.name, other.metrics) == ("b", {"loss": [(1, 0, 0.5)]})


def test_read_exports_of_a_history_is_one_run(tmp_path: Path) -> None:
    [run] = read_exports(write(tmp_path, lenet=HISTORY), None)
    assert (run.name, run.metrics["loss"]) == ("lenet", [(0, 0, 2.0), (1, 0, 1.0)])


@pytest.mark.parametrize("text", ["a,b\n1,2\n", ""])
def test_read_exports_of_another_file_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ImportRunsError, match="not an export"):
        list(read_exports(write(tmp_path, a=text), None))
