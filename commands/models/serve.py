"""`fathom models serve`: a model behind HTTP."""

from pathlib import Path

import click


@click.command()
@click.argument("artifact", type=click.Path(file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; it asks for no password.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8791, show_default=True)
def serve(artifact: Path, host: str, port: int) -> None:
    """Answer for windows of features with the model of the directory ARTIFACT, over HTTP, until Ctrl-C.

    A trading process asks it with `server = "http://127.0.0.1:8791"` in the parameters of the actor `validation`. It
    knows no users: listen on the loopback, or behind something that does.

    \b
    Example:
      fathom models serve models/demo --port 8791
      curl http://127.0.0.1:8791/model
    """
    try:
        import uvicorn

        from fathom.ml.serving.server import make_app
    except ImportError as error:
        raise click.ClickException(f"{error}. Install the server's packages: fathom-trader[serve].") from None
    from fathom.ml.models.artifacts import ArtifactError
    from fathom.ml.models.inference import Predictor

    try:
        predictor = Predictor.open(artifact)
    except ArtifactError as error:
        raise click.ClickException(str(error)) from error
    found = predictor.artifact
    click.echo(f"Serving {found.name} {found.version} on http://{host}:{port} (Ctrl-C ends).", err=True)
    uvicorn.run(make_app(predictor), host=host, port=port, log_level="warning", access_log=False)
