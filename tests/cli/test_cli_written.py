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
