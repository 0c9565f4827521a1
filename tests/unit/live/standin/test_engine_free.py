"""The stand-in judges the engine, so it must not know it."""

import subprocess
import sys


def test_the_standin_imports_no_engine() -> None:
    code = (
        "import sys, fathom.live.standin, fathom.live.standin.__main__\n"
        "assert 'fathom.live.standin.market.recording' in sys.modules\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'nautilus_trader'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
