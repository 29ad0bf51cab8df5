"""A model as an ONNX graph: raw row in, answer out, in onnx's own evaluator and in onnxruntime."""

import json
import subprocess
import sys

import numpy as np
import pytest

import clearprop as cp
from clearprop.portable import onnx_model
from clearprop.portable.program import MIXED, NUMBERS, TIMES, WORDS, program_of
from portable_models import CASES, agree, case_of, frame, network, words

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::RuntimeWarning:onnx"
)
KINDS = {NUMBERS: np.float64, TIMES: np.int64, WORDS: object, MIXED: object}


def fed(case):
    if not case.program.columns:
        return {"X": np.asarray(case.rows, np.float64)}
    held = {raw.name: KINDS[raw.holds] for raw in case.program.columns}
    return {name: np.asarray(case.rows[name], held[name]).reshape(-1, 1) for name in held}


def answers(names, found):
    by_name = dict(zip(names, found, strict=True))
    if "prediction" in by_name:
        return None, by_name["prediction"]
    if "label" in by_name:
        return by_name["label"], by_name.get("probabilities", by_name.get("outputs"))
    n = len(by_name) // 2
    return tuple([by_name[f"{what}_{k + 1}"] for k in range(n)] for what in ("label", "probabilities"))


def evaluated(model, case):
    from onnx.reference import ReferenceEvaluator

    run = ReferenceEvaluator(model)
    return answers(run.output_names, run.run(None, fed(case)))


@pytest.mark.parametrize("name", CASES)
def test_the_reference_evaluator_says_what_the_model_says(name):
    case = case_of(name)
    model = onnx_model.model_of(case.program)
    agree(case, *evaluated(model, case), 1e-12 if case.program.dtype == "float64" else 1e-6)


@pytest.mark.parametrize("name", CASES)
def test_onnxruntime_says_what_the_model_says(name):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    case = case_of(name)
    model = onnx_model.model_of(case.program)
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = runtime.InferenceSession(model.SerializeToString(), options)
    names = [each.name for each in session.get_outputs()]
    told, numbers = answers(names, session.run(None, fed(case)))
    agree(case, told, numbers, 1e-6, near=1e-5)


def named(names):
    net = network((len(names), 3, 2), dtype="float32")
    net.feature_names = tuple(names)
    return net


def test_inputs_are_called_as_in_the_table_and_nothing_else_is():
    names = ["label", "probabilities", "age, in years", "Gemm", "layers.0.weight", "Größe \N{SNOWMAN}"]
    model = named(names).to_onnx()
    assert [each.name for each in model.graph.input] == names
    outputs = [each.name for each in model.graph.output]
    assert outputs == ["label_1", "probabilities_1"]
    nodes = {out for node in model.graph.node for out in node.output}
    assert not nodes & set(names)


def test_numbers_come_as_doubles_and_leave_in_the_network_s_dtype():
    double, single = onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT
    model = network(dtype="float32").to_onnx()
    assert [each.type.tensor_type.elem_type for each in model.graph.input] == [double]
    weights = {each.name: each.data_type for each in model.graph.initializer}
    assert weights["layers.0.weight"] == single
    kinds = {each.name: each.type.tensor_type.elem_type for each in model.graph.output}
    assert kinds == {"label": onnx.TensorProto.INT64, "probabilities": single}
    wide = network().to_onnx().graph.output[1].type.tensor_type
    assert wide.elem_type == double
    assert [each.dim_param or each.dim_value for each in wide.shape.dim] == ["N", 3]


def test_a_model_says_what_it_is():
    model = onnx_model.model_of(case_of("table, classes").program, "Written by a test")
    assert {each.domain: each.version for each in model.opset_import} == {"": 18, "ai.onnx.ml": 3}
    assert (model.producer_name, model.doc_string) == ("clearprop", "Written by a test")
    said = {each.key: each.value for each in model.metadata_props}
    noted = ("task", "dtype", "model", "arrays", "columns", "classes")
    assert set(said) == {f"clearprop.{name}" for name in noted}
    columns = json.loads(said["clearprop.columns"])
    assert [each["name"] for each in columns] == [each.name for each in model.graph.input]
    told = {each.name: each.doc_string for each in model.graph.input}
    assert "microseconds since 1970-01-01T00:00" in told["when"]
    assert "-9223372036854775808 where missing" in told["when"]
    assert told == {each["name"]: each["value"] for each in columns}


def test_what_no_onnx_file_may_be_is_refused_in_a_sentence(monkeypatch):
    with pytest.raises(ValueError, match="every column of an exported model must have a name"):
        named(["a", ""]).to_onnx()
    monkeypatch.setattr(onnx_model, "MOST_BYTES", 100)
    with pytest.raises(
        ValueError, match="must be smaller than 2 GB, the parameters alone are 344 bytes"
    ):
        network().to_onnx()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'clearprop\[onnx\]'"):
        network().to_onnx()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_command_writes_a_file_that_any_runtime_reads(tmp_path):
    made = cp.MLPClassifier(preset="realmlp-s", hidden_layer_sizes=(3,), max_iter=2, random_state=0)
    made.fit(frame()[["gap", "colour"]], words(2)).save(tmp_path / "m.safetensors")
    command = [sys.executable, "-m", "clearprop", "export", "m.safetensors", "--format", "onnx"]
    for _ in range(2):  # an export is written over
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stderr == "clearprop: wrote m.onnx\n"
    assert onnx.load(tmp_path / "m.onnx").SerializeToString() == onnx_model.model_of(
        program_of(made._model_of_file()), f"Written by clearprop {cp.__version__} from m.safetensors"
    ).SerializeToString()  # fmt: skip
