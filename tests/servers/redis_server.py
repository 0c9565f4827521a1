"""A real redis-server on a free port of the loopback, to be killed, paused and started again."""

import shutil
import signal
import socket
import subprocess
from pathlib import Path

import redis


def installed() -> bool:
    """Whether there is a redis-server to run."""
    return shutil.which("redis-server") is not None


def _free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 55_000:  # the bus of a cluster node listens 10,000 above
            return port


class Server:
    """A redis-server on a free port of the loopback."""

    def __init__(self, folder: Path, *options: str) -> None:
        executable = shutil.which("redis-server") or "redis-server"
        self.port = _free_port()
        self._command = [executable, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "no", *options]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                return
        self.kill()
        raise RuntimeError(f"redis-server ended with {self._process.returncode}")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, protocol=2)
