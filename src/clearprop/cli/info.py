"""``clearprop info``: what a model holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clearprop as cp
from clearprop import schedules
from clearprop.checkpoint.description import notes
from clearprop.cli import model, outcome, terminal
from clearprop.cli.arguments import JsonOption, ModelArgument
from clearprop.model import ensemble
from clearprop.model.ensemble import EnsembleParts
from clearprop.model.file import Parts, describe_ends
from clearprop.model.targets import Classes, Targets, Units
from clearprop.training.history import TIMES
from clearprop.training.progress import history_columns
from clearprop.training.settings import Settings

if TYPE_CHECKING:
    from clearprop.estimators.options import Options

_TAIL = 5  # epochs of a checkpoint's history
_RATES = ("dropout", "label_smoothing", "averaging")


def info(model_file: ModelArgument, as_json: JsonOption = False) -> None:
    """Show what MODEL holds: the network, its data, its training.

    Example: clearprop info digits.safetensors
    """
    read = ensemble.read(model.expanded(model_file))
    nets, metadata = [model.network_of(each) for each in read.members], read.members[0].metadata
    training = metadata.get("training")
    if training is not None:
        training["history"] = history_columns(read.members[0].tensors, training["history"])
    if read.weights is not None:
        _show_ensemble(nets, read, as_json=as_json)
        return
    options = _options_of(read.members[0], model_file)
    rates = _rates(options) if training is None else _rates_among(training["settings"])
    if as_json:
        stopping = {} if options is None else {"patience": options.patience}
        terminal.print_json(_described(nets[0], metadata, training) | stopping | {"rates": rates})
    else:
        _print(nets[0], training, options, rates)


def _show_ensemble(nets: list[cp.Network], read: EnsembleParts, *, as_json: bool) -> None:
    """Print what several networks share, and a line on each."""
    first, weights = nets[0], read.weights or ()
    if as_json:
        each = [
            _described(net, parts.metadata, None) for net, parts in zip(nets, read.members, strict=True)
        ]
        told = {"kind": "ensemble", "weights": list(weights), "result": read.result, "members": each}
        terminal.print_json(told)
        return
    print(f"an ensemble of {len(nets)} networks, whose answers are averaged by their weights")
    facts = [
        (f"member {number}", f"{terminal.percent(weight, 0)}: {_in_short(net)}")
        for number, (net, weight) in enumerate(zip(nets, weights, strict=True))
    ]
    facts += _shared_facts(first)
    if read.result is not None:
        facts += outcome.result_lines(read.result, first)
    _print_facts(first, facts)


def _in_short(net: cp.Network) -> str:
    """Return what sets a member apart, in a line."""
    hidden = ", ".join(f"{layer.size} {layer.function.name}" for layer in net.layers[:-1])
    said = [hidden or "no hidden layer", outcome.length(net.epochs_trained, net.steps_trained)]
    if net.architecture.embedding is not None:
        said.append(str(net.architecture.embedding))
    if net.model.n_members > 1:
        said.append(f"{net.model.n_members} members")
    return ", ".join([*said, f"seed {net.seed}"])


def _options_of(parts: Parts, model_file: str) -> Options | None:
    """Return what an estimator was trained with by a preset, its schedules over the planned epochs."""
    said = parts.model.estimator
    if said is None or said["arguments"].get("preset", "sklearn") == "sklearn":
        return None
    from clearprop import estimators  # with scikit-learn
    from clearprop.estimators import files
    from clearprop.estimators.options import Options

    made = files.made_of(getattr(estimators, said["class"]), Path(model_file), parts)
    return Options.of(made, notes(parts.model.about).get("planned_epochs"))


def _rates(options: Options | None) -> dict[str, Any]:
    """Return what `_rates_among` does, of a preset's options."""
    if options is None:
        return {}
    dropout: Any = options.dropout
    settings = Settings(
        optimizer=options.optimizer, dropout=dropout, label_smoothing=options.label_smoothing,
        averaging=options.averaging,
    )  # fmt: skip
    return _rates_among(settings.describe())


def _rates_among(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a training that may be schedules, and its averaging, as data by name."""
    found = {name: settings["optimizer"].get(name) for name in ("learning_rate", "weight_decay")}
    return found | {name: settings.get(name, 0.0) for name in _RATES}


def _rate_facts(rates: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a line for each rate that there is."""
    found = []
    for name, rate in rates.items():
        each = rate if isinstance(rate, list) else [rate]
        if any(each):
            found.append((name.replace("_", " "), ", ".join(map(_rate_in_words, each))))
    return found


def _rate_in_words(rate: Any) -> str:
    """Return a number, or a schedule as it is called."""
    if not isinstance(rate, dict):
        return f"{rate:g}"
    schedule = schedules.from_description(rate)
    return f"{schedule.rate:g}" if isinstance(schedule, schedules.constant) else str(schedule)


def _print(
    net: cp.Network,
    training: dict[str, Any] | None,
    options: Options | None,
    rates: Mapping[str, Any],
) -> None:
    print(net)
    facts = _facts(net, options) + ([] if training is not None else _rate_facts(rates))
    if training is not None:
        facts += [("", ""), *_checkpoint_facts(training)]
    _print_facts(net, facts)
    if training is not None and len(tail := _tail(training["history"])):
        print(f"\n{tail}")


def _print_facts(net: cp.Network, facts: list[tuple[str, str]]) -> None:
    for name, text in facts:
        print(f"{name:<20}{terminal.plain(text)}".rstrip())
    if net.model.is_of_table:
        print()
        assert net.model.inputs.encoder is not None
        outcome.show_columns(net.model.inputs.encoder)


def _shared_facts(net: cp.Network) -> list[tuple[str, str]]:
    """Return what the network's data were, and what goes in and comes out."""
    about = notes(net.about)
    facts = [("data", f"{about['data']}, {about.get('task', '')}")] if "data" in about else []
    if about.get("target"):
        facts.append(("target", about["target"]))
    if net.classes is not None:
        facts.append(("classes", f"{len(net.classes)}: {_some(net.classes)}"))
    if net.model.is_of_table:
        facts.append(("inputs", f"{net.sizes[0]}, made of the columns below"))
    elif net.feature_names is not None:
        facts.append(("features", f"{len(net.feature_names)}: {_some(net.feature_names)}"))
    if about.get("image_shape"):
        facts.append(("images", " x ".join(map(str, about["image_shape"]))))
    return facts


def _facts(net: cp.Network, options: Options | None) -> list[tuple[str, str]]:
    about, facts = notes(net.about), _shared_facts(net)
    if net.model.n_members > 1:
        common = ", which share all but input scale and last layer" * net.model.shares_layers
        facts.append(("members", f"{net.model.n_members}, whose outputs are averaged{common}"))
    if net.architecture.embedding is not None:
        facts.append(("embedding", str(net.architecture.embedding)))
    raw = net.scaling is not None or net.model.is_of_table
    facts.append(("scaling", "kept in the model: give it raw data" if raw else "none"))
    if net.model.is_standardized:
        facts.append(
            (
                "outputs",
                "standardized, as in training: predict and evaluate give the target's own units, "
                "cp.load does not",
            )
        )
    rows = f", on {about['n_samples']:,} rows" if "n_samples" in about else ""
    facts.append(("trained", f"{outcome.length(net.epochs_trained, net.steps_trained)}{rows}"))
    if "planned_epochs" in about:
        facts.append(("planned", f"{about['planned_epochs']:,} epochs{_limit(net.model.estimator)}"))
    if about.get("best_epoch"):
        facts.append(("kept", outcome.kept_line(about["best_epoch"])))
    facts += [("stopped", about["stopped"])] if "stopped" in about else []
    facts += [] if options is None else _preset_facts(options)
    facts += outcome.result_lines(about["result"], net) if "result" in about else []
    facts += _chosen_facts(net.model.targets, about.get("result", {}))
    for name in ("initializer", "bias-initializer"):
        if isinstance(about.get(name), str):
            facts.append((name.replace("-", " "), about[name]))
    facts.append(("seed", str(net.seed)))
    return facts


def _limit(estimator: Mapping[str, Any] | None) -> str:
    limit = None if estimator is None else estimator["arguments"].get("time_limit")
    return "" if limit is None else f", of a time limit of {limit:g} s"


def _preset_facts(options: Options) -> list[tuple[str, str]]:
    """Return a preset, and its patience."""
    waits: dict[object, str] = {None: "none", "auto": "a period of the schedule"}
    patience = waits.get(options.patience, f"{options.patience} epochs")
    return [("preset", options.preset), ("patience", patience)]


def _chosen_facts(targets: Targets, result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what held-out rows have chosen that no result says, and what intervals are made of."""
    if isinstance(targets, Units):
        errors = targets.residuals
        if errors is None:
            return []
        made = "around outer quantiles, by" if targets.quantiles else "by the errors on"
        return [("intervals", f"{made} {len(errors):,} rows that chose nothing")]
    chosen = targets.describe_choices() if isinstance(targets, Classes) else {}
    found = []
    if "calibration" in chosen and "calibration" not in result:
        found.append(("temperature", f"{chosen['calibration']['temperature']:.3g}"))
    if "threshold" in chosen and "threshold" not in result:
        found.append(("threshold", f"{chosen['threshold']:.3g}"))
    return found


def _pairs(values: dict[str, Any]) -> str:
    shown = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items())
    return ", ".join(shown)


def _some(items: Any, limit: int = 8) -> str:
    more = len(items) - limit
    return ", ".join(terminal.plain(item)[:40] for item in items[:limit]) + (
        f", and {more} more" if more > 0 else ""
    )


def _checkpoint_facts(training: dict[str, Any]) -> list[tuple[str, str]]:
    state, settings = training["state"], training["settings"]
    at = f"epoch {state['epoch'] - training['first_epoch']}, step {state['step']}"
    if state["epoch_step"]:
        at += f" ({state['epoch_step']} of the epoch that goes on)"
    optimizer = {
        k: _rate_in_words(v) if isinstance(v, dict) else v
        for k, v in settings["optimizer"].items()
        if k != "name"
    }
    others = {name: settings.get(name, 0.0) for name in _RATES}
    return [
        ("checkpoint at", at),
        ("optimizer", f"{settings['optimizer']['name']}: {_pairs(optimizer)}"),
        *_rate_facts(others),
        _batches_fact(settings),
        *_augment_facts(settings.get("augment")),
        ("engine", str(training["engine"])),
        *([("code for", processor)] if (processor := _processor(training)) else []),
        ("stopped", training["stopped"] or "no"),
    ]


def _processor(training: Mapping[str, Any]) -> str | None:
    """Return what processor code was built for, where processes have agreed on one."""
    return training["versions"].get("processor")


def _augment_facts(augment: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return by what each epoch's rows are changed: images' deformations, or a function's name."""
    if augment is None:
        return []
    numbers = {name: value for name, value in augment.items() if name != "name" and value}
    said = f": {_pairs(numbers)}" if numbers else ""
    return [("augment", f"{augment['name']}{said}")]


def _batches_fact(settings: dict[str, Any]) -> tuple[str, str]:
    """Return how the samples are cut into batches; a file may be older than the choice of an order."""
    order = {"once": ", the same in every epoch", False: ", in the order of the rows"}
    how = order.get(settings.get("shuffle", "epoch"), "")
    n_batches = settings.get("n_batches")
    if n_batches is not None:
        return "batches", f"{n_batches} of an epoch{how}"
    return "batch size", f"{settings['batch_size']}{how}"


def _tail(columns: dict[str, list[Any]]) -> Any:
    history = cp.History()
    history.columns = {
        name: values[-_TAIL:]
        for name, values in columns.items()
        if name not in ("learning_rate", *TIMES)
    }
    return history


def _described(
    net: cp.Network, metadata: Mapping[str, Any], training: dict[str, Any] | None
) -> dict[str, Any]:
    described = {
        "kind": "model" if training is None else "checkpoint",
        "sizes": list(net.sizes),
        "layers": metadata["architecture"]["layers"],
        "cost": metadata["architecture"]["cost"],
        "embedding": metadata["architecture"].get("embedding"),
        "members": net.model.n_members,
        "shares_layers": net.model.shares_layers,
        "n_parameters": net.n_parameters,
        "dtype": net.dtype,
        "scaling": net.scaling is not None,
        "standardized_outputs": net.model.is_standardized,
        "classes": None if net.classes is None else list(net.classes),
        "feature_names": None if net.feature_names is None else list(net.feature_names),
        "about": describe_ends(net.model),
        "epochs_trained": net.epochs_trained,
        "steps_trained": net.steps_trained,
        "seed": net.seed,
        "training_seed": net.training_seed,
    }
    if training is not None:
        history = _tail(training["history"]).to_dict()
        described |= {
            "epoch": training["state"]["epoch"] - training["first_epoch"],
            "step": training["state"]["step"],
            "optimizer": training["settings"]["optimizer"],
            "engine": training["engine"],
            "processor": _processor(training),
            "stopped": training["stopped"],
            "history": history,
        }
    return described
