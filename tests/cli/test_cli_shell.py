"""``clearprop`` from a shell, as processes: what goes to which stream, how wide, how long, how it ends."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import numpy as np
import pandas
import pytest

import clearprop as cp

COMMAND = [sys.executable, "-m", "clearprop"]
SMALL = ["--hidden", "8", "--engine", "numpy", "--seed", "0"]
TRAIN = ["train", "customers.csv", "--target", "churn", *SMALL]
ARRAYS = ["train", "flats.npz", *SMALL]  # a tenth of the time: nothing of scikit-learn is imported


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Write a table of thirty alike columns and a few others, and arrays; return their folder."""
    rng, n = np.random.default_rng(0), 150
    folder = tmp_path_factory.mktemp("shop")
    plan = rng.choice(["basic", "plus", "pro"], n)
    made = {"plan": plan, "spent": rng.normal(2e6, 5e5, n).round(2)}
    made |= {f"bought_{i:02}": rng.integers(0, 2, n) for i in range(30)}
    leaves = (plan == "pro") ^ (np.arange(n) % 20 == 0)  # else the plan alone gave it away
    made |= {"churn": np.where(leaves, "yes", "no")}
    pandas.DataFrame(made).to_csv(folder / "customers.csv", index=False)
    X = rng.normal(size=(n, 3))
    np.savez(folder / "flats.npz", X=X, y=2e6 + 5e5 * X[:, 0] + rng.normal(0, 1e5, n))
    return folder


def shell(folder, *arguments, **environment):
    """Run a command without a terminal; return exit code, standard output and standard error."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=120,
        env=os.environ | {"COLUMNS": "80"} | environment, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def trained(shop):
    """Train on the table once; return standard output and standard error."""
    code, out, err = shell(shop, *TRAIN, "--epochs", 6)
    assert code == 0, err
    return out, err


def terminal(folder, width, *arguments, **environment):
    """Run a command on a terminal of so many columns; return exit code and what was written to it."""
    process, screen = pty.fork()
    if not process:
        os.chdir(folder)
        known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        known |= {"TERM": "xterm-256color"} | environment  # readline sets both behind Python's back
        os.execve(sys.executable, [*COMMAND, *map(str, arguments)], known)
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    written = b""
    try:
        while block := os.read(screen, 1 << 16):
            written += block
    except OSError:  # the other end is closed
        pass
    os.close(screen)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), written.decode()


def test_with_json_a_table_gives_the_result_alone_and_it_is_the_models(shop):
    code, out, err = shell(shop, *TRAIN, "--epochs", 3, "-q", "--json", "--output", "q.safetensors")
    assert (code, err) == (0, "")
    told = json.loads(out)
    expected = {
        "model": "q.safetensors", "data": "customers.csv", "target": "churn", "epochs": 3,
        "part": "test", "n_samples": 15, "n_validation": 15, "seed": 0, "stopped": None,
    }  # fmt: skip
    assert {name: told[name] for name in expected} == expected
    model = cp.MLPClassifier.load(shop / "q.safetensors")
    assert {name: told[name] for name in model.test_result_} == model.test_result_
    assert told["accuracy"] <= told["intervals"]["accuracy"][1]
    assert told["best_epoch"] == 1 + np.argmin(model.history_["validation_cost"])


def test_quiet_prints_nothing_but_json_warnings_and_mistakes(shop):
    quick = [*ARRAYS, "--epochs", 2, "--output", "quiet.safetensors"]
    assert shell(shop, *quick, "--quiet") == (0, "", "")
    told = json.loads(shell(shop, *quick, "--json")[1])
    assert (told["part"], told["best_epoch"], told["steps"]) == ("validation", None, 8)
    code, out, err = shell(shop, *quick, "--quiet", "--log", "/nowhere/log.csv")
    assert (code, out) == (0, "")
    assert err.startswith("clearprop: warning: the log /nowhere/log.csv cannot be written")
    code, out, err = shell(shop, *quick, "--quiet", "--time-limit", "soon")
    assert (code, out) == (2, "")
    assert err == "clearprop: --time-limit must be a time such as 90s, 10min or 2h, got 'soon'\n"


def test_a_time_limit_ends_the_training_with_a_model(shop):
    run = [*ARRAYS, "--epochs", 10**6, "--output", "limited.safetensors", "--time-limit", "0.3 s"]
    code, out, err = shell(shop, *run)
    assert code == 0, err
    assert re.search(r"trained +[\d,]+ epochs, [\d,]+ steps, 0\.\d s \(time limit\), seed 0", out)
    assert cp.load(shop / "limited.safetensors").epochs_trained > 1


def test_a_time_limit_too_short_for_an_epoch_of_a_table_is_refused_before_anything_is_written(shop):
    one = ["--time-limit", "0.0001s", "--output", "short.safetensors", "--checkpoint", "short.ckpt"]
    code, out, err = shell(shop, *TRAIN, *one, "--quiet")
    assert (code, out) == (2, "")
    assert err.startswith("clearprop: --time-limit must leave time for one epoch, which takes about ")
    assert err.endswith("got 0.0001 s; raise it, or train on fewer rows\n")
    assert not list(shop.glob("short*"))


def test_a_run_stopped_at_the_keyboard_says_so_once_and_how_it_goes_on(shop):
    run = [*TRAIN, "--epochs", 10**6, "--checkpoint", "run.ckpt", "--output", "r.safetensors"]
    process = subprocess.Popen(
        [*COMMAND, *map(str, run)], cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (shop / "run.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert len(re.findall("interrupted", err)) == 1
    assert "the same command with --resume goes on from run.ckpt" in err


@pytest.mark.parametrize(
    "width", [pytest.param(width, marks=pytest.mark.slow) for width in (60, 80, 200)]
)
def test_all_that_is_printed_fits_the_terminal(shop, width):
    code, text = terminal(shop, width, *TRAIN, "--epochs", 3)
    assert code == 0
    assert "\x1b[1m" in text  # the result is bold
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    lines = [line for line in re.split(r"[\r\n]+", shown) if " clearprop " not in line]
    assert not [line for line in lines if len(line) > width]  # but commands, which are to be copied
    assert re.search(r"epoch 3/3 .*cost \d\.\d{3,4}.* 0:00:00 left", shown)
    code, text = terminal(shop, width, "info", "customers.safetensors", NO_COLOR="1")
    assert code == 0
    assert not re.search(r"\x1b\[3[0-7]m", text)


def test_neighbours_of_which_the_same_is_said_share_a_line(shop, trained):
    _, err = trained
    assert "bought_00 to bought_29  boolean          30  30 columns, each: two values, 0" in err
    assert err.count("bought_") == 2
    told = shell(shop, "info", "customers.safetensors")[1]
    assert told.count("bought_") == 2
    printed = "".join(trained) + told
    assert not [line for line in printed.splitlines() if line != line.rstrip()]


def test_what_is_kept_is_said_when_it_trained_and_afterwards(shop, trained):
    out, _ = trained
    kept = re.search(r"^kept +(epoch \d, the best on the rows held out)$", out, flags=re.M)[1]
    accuracy = re.search(r"^test accuracy +(.*)$", out, flags=re.M)[1]
    told = shell(shop, "info", "customers.safetensors")[1]
    assert re.search(rf"^kept +{kept}$", told, flags=re.M)
    assert re.search(rf"^test accuracy +{re.escape(accuracy)}$", told, flags=re.M)


def test_numbers_are_written_out_as_long_as_they_are_short(shop):
    code, out, _ = shell(shop, *ARRAYS, "--epochs", 3, "--output", "f.safetensors")
    assert code == 0
    assert re.search(r"validation RMSE +\d{3},\d{3}  \(mean absolute error \d{3},\d{3}\)", out)
    told = shell(shop, "evaluate", "f.safetensors", "flats.npz", "--bootstrap", 9)[1]
    assert not re.search(r"\de[+-]\d\d", out + told)


@pytest.mark.parametrize(
    "command",
    [
        "train",
        "evaluate",
        "predict",
        "info",
        "check",
        "explain",
        "explore",
        "diagnose",
        "cv",
        "tune",
        "worksheet",
        "grade",
    ],
)
def test_the_help_fits_80_columns_and_tells_every_default_the_same_way(command, tmp_path):
    code, out, _ = shell(tmp_path, command, "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "[default" not in out
    assert "<str>" not in re.sub(r"(DATA|FOLDER|MODEL) +<str>", "", out)


def test_the_defaults_that_the_help_of_train_tells_are_those_of_the_program(tmp_path):
    from clearprop.cli.options import Options

    out = re.sub(r"[│╭╰╮╯─]", " ", shell(tmp_path, "train", "--help", COLUMNS="200")[1])
    out, defaults = " ".join(out.split()), Options("digits")
    for name in ("running_window", "engine", "checkpoint_every"):
        option = f"--{name.replace('_', '-')} "
        assert re.search(rf"{option}[^(]*\({getattr(defaults, name)}\)\.", out), name
    for text in ("(30; tables 256)", "(30; tables 256,256,256)", "(32; tables 256)"):
        assert text in out


def test_a_configuration_file_has_switches_and_times_too(shop):
    (shop / "run.toml").write_text(
        'quiet = true\njson = true\ntime-limit = "1min"\nepochs = 2\nhidden = [4]\n'
        'engine = "numpy"\noutput = "c.safetensors"\n'
    )
    code, out, err = shell(shop, "train", "flats.npz", "--config", "run.toml")
    assert (code, err) == (0, "")
    assert json.loads(out)["epochs"] == 2


def test_the_columns_are_told_in_figures_without_an_exponent(trained):
    _, err = trained
    assert re.search(r"^spent +numeric +1  numbers from \d{6,7}(\.\d)? to \d{7}$", err, flags=re.M)


@pytest.mark.parametrize("run", [pytest.param(TRAIN, marks=pytest.mark.slow), ARRAYS])
def test_patience_ends_a_training_and_a_run_that_it_ended_is_not_gone_on_with(shop, run):
    patient = [*run, "--epochs", 2000, "--patience", 2, "--checkpoint", f"patient-{run[1]}.ckpt"]
    patient += ["--learning-rate", 0.5, "--output", "patient.safetensors"]
    code, out, err = shell(shop, *patient, "--json")
    told = json.loads(out)
    assert (code, told["stopped"]) == (0, "early stopping"), err
    assert 0 < told["best_epoch"] <= told["epochs"] < 2000
    code, out, err = shell(shop, *patient, "--resume")
    assert code == 0
    assert f"nothing is left to do: early stopping ended it at epoch {told['epochs']}" in err
    assert f"kept                epoch {told['best_epoch']}, the best on the rows held out" in out
    code, out, err = shell(shop, *patient, "--resume", "--patience", 3)
    assert (code, out) == (2, "")
    assert "cannot be resumed with other settings: --patience is 3, was 2" in err


@pytest.mark.parametrize("run", [pytest.param(TRAIN, marks=pytest.mark.slow), ARRAYS])
def test_patience_that_cannot_be_had_is_refused_in_a_sentence(shop, run):
    code, out, err = shell(shop, *run, "--patience", 0)
    assert (code, out) == (2, "")
    assert err == "clearprop: --patience must be an integer of at least 1, or none, got 0\n"
    code, out, err = shell(shop, *run, "--patience", 2, "--validation", 0)
    assert (code, out) == (2, "")
    assert err == (
        "clearprop: --patience 2 needs rows to validate on, and none are held out: --validation 0.2 "
        "holds out a fifth of them\n"
    )


def test_patience_holds_out_rows_of_a_set_that_has_a_part_to_test_on(shop):
    code, out, err = shell(shop, "train", "iris", *SMALL, "--patience", 1, "--learning-rate", 9)
    assert code == 0
    assert (
        "24 rows are held out for validation (--validation 0 trains on all without --patience)" in err
    )
    assert "(early stopping)" in out
