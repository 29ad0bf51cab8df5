"""``clearprop explore --serve``: a network of any size, trained from its page with the real engine.

In: a model's file, and the set it is to be trained on. Out: nothing but what the page shows.
"""

from __future__ import annotations

import contextlib

from clearprop.cli import model, model_data, standard_input
from clearprop.cli.diagnose import in_learned_units
from clearprop.watching.session import Session


def serve(model_file: str, data: str, target: str | None, port: int | None) -> None:
    """Serve a network's page until Ctrl-C.

    It is trained on the training part, and measured on the test part where there is one; quantities
    are in the units in which they were learned.
    """
    net = model.load_model(model_file)
    dataset = model_data.load_data(net, standard_input.as_file(data), target)
    X, Y = dataset.part("train")
    net, encode = in_learned_units(net, Y)
    held = None
    if dataset.X_test is not None:
        X_test, Y_test = dataset.part("test")
        held = X_test, encode(Y_test)
    try:
        session = Session(net, X, encode(Y), held, port=port)
    except ImportError as problem:
        raise ValueError(str(problem)) from None
    with contextlib.suppress(KeyboardInterrupt):  # which is how it is ended
        session.run()
