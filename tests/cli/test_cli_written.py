"""Every command that writes a file says so, in the same words and in the same place."""

import pytest

import clearprop as cp
from clearprop.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "iris.safetensors"
    iris = cp.data.load("iris")
    net = cp.Network([4, 5, 3], scaling=iris.scaling, seed=0)
    net.fit(*iris.train, epochs=1, progress=False)
    net.save(path)
    return str(path)


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["predict", "MODEL", "iris"], "predictions.csv"),
        (["explain", "MODEL", "iris", "--row", "3", "--format", "html"], "pass.html"),
        (["diagnose", "MODEL", "iris", "--format", "json"], "findings.json"),
        (["report", "MODEL", "iris"], "report.html"),
        (["explore", "MODEL", "iris"], "page.html"),
        (["export", "MODEL", "--format", "python"], "model.py"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else each,
)
def test_what_is_written_is_said(words, output, model, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([model if word == "MODEL" else word for word in words] + ["--output", output])
    out, err = capfd.readouterr()
    assert (ended.value.code, out) == (0, "")
    assert err.splitlines()[-1] == f"clearprop: wrote {output}"
    assert (tmp_path / output).stat().st_size > 0


def test_a_network_too_large_for_a_page_is_refused_with_what_else_to_do(tmp_path, capfd):
    cp.Network([4, 5000, 3], seed=0).save(tmp_path / "large.safetensors")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "explore",
                str(tmp_path / "large.safetensors"),
                "iris",
                "--output",
                f"{tmp_path}/page.html",
            ]
        )
    err = capfd.readouterr().err
    assert ended.value.code == 2
    assert "MODEL must have at most 20,000 parameters" in err
    assert "got 40,003: --serve trains it with the real engine, train --hidden 32,16 makes" in err
