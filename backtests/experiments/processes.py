"""Tasks in processes of their own: nothing of one is left in the next, and all are gone when the caller is."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from fathom.backtests.experiments.mounts import separate_mounts


def in_processes[T](function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[tuple[int, T]]:
    """Yield the place and the result of each task as it ends.

    A process has mounts of its own where the system lets it (see `fathom.backtests.experiments.mounts`). Processes are
    killed when the caller stops asking.

    Parameters
    ----------
    function
        Of a module.
    tasks
        Its arguments, one tuple a task.
    jobs
        Processes at a time.

    Raises
    ------
    Exception
        Of the first task that failed; ChildProcessError where a process died.
    """
    context = multiprocessing.get_context("spawn")  # the engine has threads, which a fork would lose
    waiting = deque(enumerate(tasks))
    running: dict[Connection, tuple[int, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                at, arguments = waiting.popleft()
                ours, theirs = context.Pipe()
                process = context.Process(target=_run, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                ours.send((function, arguments))
                running[ours] = (at, process)
            for ended in wait(list(running)):
                assert isinstance(ended, Connection)
                at, process = running[ended]
                try:
                    failed, value = ended.recv()
                except EOFError:
                    process.join()
                    raise ChildProcessError(f"its process ended with exit code {process.exitcode}") from None
                process.join()
                del running[ended]
                ended.close()
                if failed:
                    raise value
                yield at, value
    finally:
        for ours, (_, process) in running.items():
            process.kill()
            process.join()
            ours.close()


def _run(caller: "Connection[Any, Any]") -> None:
    separate_mounts()  # before the task's modules are imported, which start threads
    function, arguments = caller.recv()
    try:
        answer = (False, function(*arguments))
    except Exception as error:
        answer = (True, error)
    caller.send(answer)
