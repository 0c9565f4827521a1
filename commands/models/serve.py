"""`fathom models serve`: a model behind HTTP."""

from pathlib import Path

import click

from fathom.commands.console import FOLDER, Terminal, command


@command(kept="The model serves no more.")
@click.argument("artifact", type=FOLDER)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; it asks for no password.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8791, show_default=True)
def serve(terminal: Terminal, artifact: Path, host: str, port: int) -> None:
    """Answer for windows of features with the model of the directory ARTIFACT, over HTTP, until Ctrl-C.

    A trading process asks it with `server = "http://127.0.0.1:8791"` in the parameters of the actor `validation`. It
    knows no users: listen on the loopback, or behind something that does. With --json the address is printed as JSON.

    \b
    Example:
      fathom models serve fathom-out/models/demo --port 8791
      curl http://127.0.0.1:8791/model
    """
    import uvicorn

    from fathom.ml.models.inference import Predictor
    from fathom.ml.serving.server import make_app

    predictor = Predictor.open(artifact)
    served = predictor.artifact
    address = f"http://{host}:{port}"
    terminal.answer({"model": served.name, "version": served.version, "address": address})
    terminal.note(f"Serving {served.name} {served.version} on {address} (Ctrl-C ends).")
    uvicorn.run(make_app(predictor), host=host, port=port, log_level="warning", access_log=False)
