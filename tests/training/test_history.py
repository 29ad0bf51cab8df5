import math

import numpy as np
import pytest

import clearprop as cp


def made():
    history = cp.History()
    for epoch in range(1, 21):
        row = {"epoch": epoch, "cost": 1 / epoch, "validation_accuracy": 1 - 0.5 / epoch}
        history.append({**row, "learning_rate": 0.1, "seconds": 0.5, "samples_per_second": 12345.6})
    return history


def test_it_is_a_table_with_a_column_for_each_name():
    history = made()
    assert len(history) == 20
    assert history["cost"][3] == 0.25
    assert "cost" in history
    assert list(history.to_dict()) == list(history.rows()[0])
    assert history.to_csv().splitlines()[0].startswith("epoch,cost,validation_accuracy")
    with pytest.raises(KeyError, match="history has no column 'loss'; it has epoch, cost"):
        history["loss"]


def test_a_column_that_comes_later_is_filled_with_nan():
    history = cp.History()
    history.append({"epoch": 1})
    history.append({"epoch": 2, "cost": 0.5})
    assert math.isnan(history["cost"][0])


def test_the_printed_table_shows_the_ends_of_a_long_run():
    lines = str(made()).splitlines()
    assert len(lines) == 1 + 2 + 1 + 10
    assert lines[0].split()[:2] == ["epoch", "cost"]
    assert lines[3].strip() == "..."
    assert lines[-1].split()[0] == "20"


def test_the_plot_draws_every_column_but_times(tmp_path):
    pytest.importorskip("matplotlib")
    figure = made().plot(str(tmp_path / "history.png"))
    lines = [line for axes in figure.axes for line in axes.get_lines()]
    assert [line.get_label() for line in lines] == ["cost", "validation accuracy"]
    np.testing.assert_array_equal(lines[0].get_ydata(), made()["cost"])
    assert (tmp_path / "history.png").stat().st_size > 5000
