"""``clearprop report``: a page that shows how good a model is, where it is wrong, and why."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from clearprop.checkpoint import atomic_file
from clearprop.cli import errors, files, model, model_data, standard_input
from clearprop.cli.arguments import (
    CommentOption,
    DataArgument,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    GapsOption,
    JsonOption,
    ModelArgument,
    Part,
    PartOption,
    SkipLinesOption,
    TargetOption,
    option,
)
from clearprop.cli.model import Answering
from clearprop.data.files import local_path
from clearprop.model.ensemble import Averaged, EnsembleParts
from clearprop.training.progress import history_columns

if TYPE_CHECKING:  # what reports are made by loads scikit-learn
    from clearprop.reporting.subject import Subject


def report(
    model_file: ModelArgument,
    data: DataArgument,
    output: Annotated[
        str | None, option(metavar="FILE", text="Where the page is written, a .html file.")
    ] = None,
    part: PartOption = Part.test,
    target: TargetOption = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    target_gaps: GapsOption = "drop",
    skip_lines: SkipLinesOption = None,
    comment: CommentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a page on MODEL and DATA: how good it is and how sure that is, and where it is wrong.

    Example: clearprop report churn.safetensors churn.csv --output report.html
    """
    if output is None and not as_json:
        raise ValueError("--output must name the page's file, or --json ask for the figures")
    files.refuse_same({"MODEL": model_file, "DATA": data}, {"--output": output})
    if output is not None:
        _check_output(output)
    net, read = model.read_answering(model_file)
    model.read_otherwise(
        net, data, delimiter=delimiter, decimal=decimal, encoding=encoding, skip_lines=skip_lines,
        comment=comment,
    )  # fmt: skip
    subject = _of_table(net, data, target, target_gaps)
    if subject is None:
        subject = _of_arrays(net, data, target, part, target_gaps)
    for note in subject.notes:
        errors.say(note)
    from clearprop.reporting import Report, figures_of, learned

    read_from = learned.file_of(local_path(data))
    if read_from is not None and (said := standard_input.said(data)) != data:
        read_from = dataclasses.replace(read_from, name=said)
    found = Report(figures_of(subject, _history(read), learned.file_of(model_file), read_from))
    if output is not None:
        with atomic_file.replacing(model.expanded(output)) as file:
            file.write(found.html.encode("utf-8"))
        errors.say(f"wrote {output}")
    if as_json:
        print(found.to_json())


def _check_output(output: str) -> None:
    path = os.path.realpath(model.expanded(output))
    if not output.lower().endswith((".html", ".htm")):
        raise ValueError(f"--output must be a .html file, got {output}")
    if os.path.isdir(path):
        raise ValueError(f"--output must be a file, {output} is a folder")
    if not os.path.isdir(os.path.dirname(path)):
        raise ValueError(f"--output {output}: there is no folder {os.path.dirname(path)}")


def _of_table(net: Answering, data: str, target: str | None, gaps: str) -> Subject | None:
    """Return the rows of a raw table; None where the model takes none."""
    its = net.model
    if not its.is_of_table:
        return None
    from clearprop.reporting.reading import of_table, target_in

    source = its.inputs.open(local_path(data))
    name = target_in(source, its, target)
    its.inputs.say_unknown(source, errors.say, name)
    return of_table(its, _averaged(net), source, name, gaps=gaps)


def _of_arrays(net: Answering, data: str, target: str | None, part: Part, gaps: str) -> Subject:
    from clearprop.reporting.subject import of_arrays

    dataset, known = model_data.load_with_strangers(net, data, target, gaps, target is not None)
    X, Y = dataset.inputs(part), None
    strange: Sequence[Any] = ()
    if dataset.Y_train is not None:
        X, Y = dataset.part(part)
        strange = [] if known is None else np.unique(Y[known <= Y]).tolist()
    labels = [str((dataset.classes or ())[number]) for number in strange]
    return of_arrays(net.model, _averaged(net), _numbers(net, X), Y, dataset.source, labels)


def _numbers(net: Answering, X: NDArray[Any]) -> NDArray[Any]:
    # Bytes, as images have them, are numbers here: a column of them can be changed like any other.
    return X if X.dtype.kind == "f" else X.astype(net.model.dtype)


def _averaged(net: Answering) -> Averaged | None:
    return net if isinstance(net, Averaged) else None


def _history(read: EnsembleParts) -> Mapping[str, Sequence[float]]:
    """Return the history of a single model's training, as far as its file has it."""
    if read.weights is not None:
        return {}
    from clearprop.reporting import learned

    parts = read.members[0]
    training = parts.metadata.get("training")
    if training is not None:
        return history_columns(parts.tensors, training["history"])
    return learned.history_of(parts.model)
