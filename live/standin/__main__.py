"""Run a stand-in: `python -m fathom.live.standin CONFIG.toml [KEY=VALUE ...]` or with options; prints its URLs."""

import argparse
import json
import sys
from collections.abc import Sequence

from fathom.live.standin.config import StandInConfig
from fathom.live.standin.wire.server import StandIn
from fathom.settings.errors import FathomError
from fathom.settings.toml import read


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the process is ended; prints one line of JSON with the URLs."""
    parser = argparse.ArgumentParser(prog="python -m fathom.live.standin", description=__doc__)
    parser.add_argument("config", nargs="?", help="a TOML file of StandInConfig")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    parser.add_argument("--catalog")
    parser.add_argument("--instruments", help="Bybit's instruments-info response (JSON)")
    parser.add_argument("--speed", type=float)
    parser.add_argument("--port", type=int)
    parser.add_argument("--start-on-connect", action="store_true", default=None)
    options = parser.parse_args(arguments)
    names = ("catalog", "instruments", "speed", "port", "start_on_connect")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    changes = [f"{name}={json.dumps(value)}" for name, value in given.items()]
    try:
        config = read(StandInConfig, [options.config] if options.config else [], [*changes, *options.changes])
        with StandIn(config) as exchange:
            print(json.dumps(exchange.urls), flush=True)
            exchange.wait()
    except FathomError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
