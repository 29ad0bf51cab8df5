"""``clearprop serve``: a model that answers rows of JSON over HTTP."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import clearprop as cp
from clearprop import engines
from clearprop.cli import errors, model
from clearprop.cli.arguments import ModelArgument, option
from clearprop.watching import address

_PORT, _LARGEST_PORT = 8000, 65535


def serve(
    model_file: ModelArgument,
    port: Annotated[
        int, option(metavar="N", text="Where it listens; 0 is any that is free", default=_PORT)
    ] = _PORT,
    host: Annotated[
        str,
        option(
            metavar="ADDRESS",
            text="Interface that it listens on, such as 0.0.0.0 for other machines",
            default=address.HOST,
        ),
    ] = address.HOST,
) -> None:
    """Answer rows of JSON with the predictions of MODEL: POST /predict, GET /schema, /health, / .

    SIGTERM and Ctrl-C end it when all that was asked is answered; SIGHUP reads MODEL again.

    Example: clearprop serve churn.safetensors --port 8000
    """
    if not 0 <= port <= _LARGEST_PORT:
        raise ValueError(f"--port must be in 0 to {_LARGEST_PORT}, got {port}")
    try:
        from clearprop.serving.answers import Answers
        from clearprop.serving.running import Serving
    except ImportError:
        raise ValueError("serve needs Starlette and uvicorn: pip install 'clearprop[serve]'") from None

    def load() -> tuple[Answers, dict[str, Any]]:
        net = model.load_answering(model_file)
        path = Path(model.expanded(model_file))
        about = {
            "model": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "clearprop": cp.__version__,
        }
        if not isinstance(net, cp.Network):
            return Answers(net.members, net.outputs), about
        made = net.model
        return Answers([made], lambda X: engines.predict(made.architecture, made.parameters, X)), about

    served = Serving(load, host, port, errors.say)
    if host not in ("127.0.0.1", "localhost"):
        errors.say(f"whoever reaches {host} may ask: there is no password")
    errors.say(f"answers at {served.url} (Ctrl-C ends it)")
    served.run()
