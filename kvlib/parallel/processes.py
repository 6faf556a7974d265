"""Processes that work together: started, joined by torch.distributed, heard, and ended."""

import multiprocessing
import os
import pickle
import sys
import threading
import time
import traceback
from datetime import timedelta
from multiprocessing import connection
from tempfile import TemporaryDirectory

import torch
from torch import distributed as dist

from ..units import unknown, whole_number

LAST_WORDS = 1.0  # seconds that the other ranks have to say why they failed, once one has


def launch(work, ranks, *args, device=None, timeout=300) -> list:
    """What `work(rank, ranks, device, *args)` returns in each of `ranks` processes, by rank.

    work     a function that another process can import: not one written in a notebook. It, `args` and
             what it returns are pickled
    device   "cuda" gives each rank a GPU of its own, which talk through NCCL; "cpu" one thread each,
             through Gloo; None takes GPUs where there is one for each rank
    timeout  seconds for everything, the start of the processes included

    Nothing leaves the machine, and no process is left behind, whatever happens. In a script it must be
    called under `if __name__ == "__main__":`, for each process imports the script anew.

    Raises RuntimeError with the message of the rank that failed first (its traceback is a note),
    TimeoutError, and ValueError for what cannot be started.
    """
    devices = _devices(whole_number("ranks", ranks), device)
    if not timeout > 0:
        raise ValueError(f"timeout must be above 0 seconds, not {timeout!r}")
    task = _pickled(work, args)
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads and CUDA's state
    processes, pipes = [], []
    with TemporaryDirectory(prefix="kvlib-", ignore_cleanup_errors=True) as folder:
        store = os.path.join(folder, "store")  # where the ranks find each other
        try:
            for rank in range(ranks):
                ours, theirs = context.Pipe(duplex=False)
                pipes.append(ours)
                given = (theirs, store, rank, devices, task, timeout)
                processes.append(context.Process(target=_rank, args=given, daemon=True))
                processes[-1].start()
                theirs.close()  # so that the end of the process ends the pipe
            return _heard(processes, pipes, timeout)
        finally:
            for process in processes:
                if process.pid is not None:
                    process.kill()
                    process.join()
            for pipe in pipes:
                pipe.close()


def _devices(ranks, device) -> list[str]:
    """Each rank's device."""
    if device not in (None, "cpu", "cuda"):
        raise unknown("device", device, ("cpu", "cuda"))
    gpus = torch.cuda.device_count() if dist.is_nccl_available() else 0
    if device == "cuda" and gpus < ranks:
        raise ValueError(f"device cuda needs a GPU (and NCCL) for each of {ranks} ranks; there are {gpus}")
    if device == "cpu" or gpus < ranks:
        return ["cpu"] * ranks
    return [f"cuda:{rank}" for rank in range(ranks)]


def _pickled(work, args) -> bytes:
    """The task for the ranks; a ValueError if another process could not find what it names."""
    notebook = not hasattr(sys.modules["__main__"], "__file__")
    for function in (work, *args):
        function = getattr(function, "func", function)  # of a functools.partial
        if notebook and callable(function) and getattr(function, "__module__", None) == "__main__":
            raise ValueError(
                f"{function.__name__} is written in the notebook, where another process cannot find it; "
                "take an importable function, or functools.partial of one"
            )
    try:
        return pickle.dumps((work, args))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(f"what the ranks are given must be picklable: {error}") from None


def _heard(processes, pipes, timeout) -> list:
    """What the ranks return, or the error of the one that failed first."""
    ranks, deadline = len(pipes), time.monotonic() + timeout
    waiting = dict(zip(pipes, range(ranks), strict=True))
    results, failures = {}, []
    while waiting:
        ready = connection.wait(list(waiting), max(0.0, deadline - time.monotonic()))
        if not ready:
            break
        for pipe in ready:
            rank = waiting.pop(pipe)
            try:
                good, said = pipe.recv()
            except EOFError:
                processes[rank].join()
                good, said = False, (0.0, _ended(processes[rank].exitcode), "")
            if good:
                results[rank] = pickle.loads(said)
                continue
            # The others fail too, for they lost this one: who was first is told by the clock.
            deadline = min(deadline, time.monotonic() + LAST_WORDS)
            failures.append((*said, rank))
    if failures:
        _, message, trace, rank = min(failures)
        error = RuntimeError(f"rank {rank} of {ranks} failed: {message}")
        error.add_note(trace)
        raise error
    if waiting:
        late = ", ".join(str(rank) for rank in waiting.values())
        raise TimeoutError(
            f"the ranks took longer than timeout={timeout} seconds; not done: {late} of {ranks}"
        )
    return [results[rank] for rank in range(ranks)]


def _ended(code) -> str:
    if code < 0:
        return f"its process was ended by signal {-code} (9 is often: out of memory)"
    return (
        f"its process ended with exit code {code} and said no more than what it printed; a script must "
        'call this under `if __name__ == "__main__":`'
    )


def _rank(pipe, store, rank, devices, task, timeout):
    """A rank's process: join the others, work, say what came of it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    ranks, device = len(devices), devices[rank]
    try:
        work, args = pickle.loads(task)
        _join(store, rank, ranks, device, timeout)
        result = work(rank, ranks, device, *args)
        dist.barrier()  # none leaves while another still waits for its numbers
        told = True, pickle.dumps(result)
    except BaseException as error:
        told = False, (time.time(), f"{type(error).__name__}: {error}", traceback.format_exc())
    pipe.send(told)
    if dist.is_initialized():
        dist.destroy_process_group()


def _end_with_parent():
    """A notebook's kernel that is restarted has no time to end its ranks."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _join(store, rank, ranks, device, timeout):
    torch.set_num_threads(1)  # the ranks share the cores
    options = {}
    if device == "cpu":
        loopback = {"linux": "lo", "darwin": "lo0"}.get(sys.platform)
        if loopback:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)  # no port that another host can reach
    else:
        torch.cuda.set_device(device)
        options = dict(device_id=torch.device(device))
    dist.init_process_group(
        "gloo" if device == "cpu" else "nccl", store=dist.FileStore(store, ranks), rank=rank,
        world_size=ranks, timeout=timedelta(seconds=timeout), **options,
    )  # fmt: skip
