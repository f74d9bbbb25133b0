"""Where jobs are done: in processes of this machine, on a Ray cluster, or in this very process."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from ...errors import UserError
from .jobs import Job
from .work import JobResult, work

CALLS = 16  # jobs that one of Ray's processes does before a new one takes over


class Backend(Protocol):
    """Does jobs.

    Attributes:
        slots: how many jobs it does at once.
    """

    @property
    def slots(self) -> int: ...

    def submit(self, job: Job, model: str) -> Future[JobResult]:
        """Begins a job; call this for ``slots`` jobs at a time at most.

        Args:
            job: what to do.
            model: of its teacher, if it has one.
        """

    def stop(self) -> None:
        """Ends the jobs in progress at once; their results are lost."""


def make_backend(name: str, workers: int | None, ray_address: str = "") -> Backend:
    """A backend by its name.

    Args:
        name: one of ``BACKENDS``.
        workers: jobs at once; None for 2, or for all processors of the cluster at ``ray_address``.
        ray_address: of a running cluster (``auto``, ``ray://...``); Ray starts one on this machine if empty.

    Raises:
        UserError: Ray is not installed or cannot be reached.
    """
    if name == "ray":
        return Ray(workers, ray_address)
    return Serial() if name == "serial" else Local(workers or 2)


class Serial:
    """One job after the other in this process, where a debugger sees them."""

    slots = 1

    def submit(self, job: Job, model: str) -> Future[JobResult]:
        future: Future[JobResult] = Future()
        future.set_result(work(job, model))
        return future

    def stop(self) -> None:
        pass  # nothing goes on in the background


class Local:
    """Every job in a process of its own, so that peak memory is its own and a killed one costs no other.

    The processes are forked from a server that has imported everything and done nothing, which saves the seconds that
    importing PyTorch takes.  For each, a thread waits for the result.

    Args:
        workers: processes at once.
    """

    def __init__(self, workers: int) -> None:
        self.slots = workers
        self._context = multiprocessing.get_context("forkserver")
        here, package = __name__.rpartition(".")[0], __name__.split(".experiments.")[0]
        self._context.set_forkserver_preload([f"{here}.stack", f"{package}.cli"])
        self._threads = ThreadPoolExecutor(workers)
        self._processes: set[BaseProcess] = set()
        self._lock, self._stopped = threading.Lock(), False

    def submit(self, job: Job, model: str) -> Future[JobResult]:
        return self._threads.submit(self._await, job, model)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()
        self._threads.shutdown()

    def _await(self, job: Job, model: str) -> JobResult:
        reader, writer = self._context.Pipe(duplex=False)
        with self._lock:
            if self._stopped:
                return "it was not begun"
            process = self._context.Process(target=_child, args=(writer, job, model), daemon=True)
            process.start()
            self._processes.add(process)
        writer.close()  # the child's is now the only one, so that its end is noticed
        try:
            outcome: JobResult = reader.recv()
        except (EOFError, OSError):
            process.join()
            outcome = f"its process was ended from outside (status {process.exitcode}), perhaps for want of memory"
        with self._lock:
            self._processes.remove(process)
        process.join()
        reader.close()
        return outcome


def _child(writer: Connection, job: Job, model: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C comes to all processes, and the sweep ends its own itself
    writer.send(work(job, model))


def _end_with_parent() -> None:
    """Ends this process with the sweep's, even if that was killed: nobody would take the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


class Ray:
    """Jobs as tasks of a Ray cluster, each on one processor; the rows come back to this process.

    On several machines this program must be installed on each, and students find the models of teachers that
    other machines trained only if the results folder is on a file system that all share.

    Args:
        workers: jobs at once; None for 2, or for all processors of a running cluster.
        address: of a running cluster; empty for one on this machine, for this sweep only.

    Raises:
        UserError: Ray is not installed or cannot be reached.
    """

    def __init__(self, workers: int | None, address: str) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError:
            raise UserError("--backend=ray needs Ray: pip install 'epymarl-cpa[ray]'.") from None
        self._workers = workers if address else workers or 2
        where = {"address": address} if address else {"num_cpus": self._workers, "include_dashboard": False}
        try:
            self._ray.init(**where, logging_level="ERROR", log_to_driver=False)
        except Exception as error:  # Ray raises some dozen kinds
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"Ray cannot be reached at --ray-address={address or 'local'} ({reason}).") from None
        # An own process for every job would import PyTorch every time; nothing of a job influences the next.
        self._task = self._ray.remote(num_cpus=1, max_retries=0, max_calls=CALLS)(_remote)

    @property
    def slots(self) -> int:
        return self._workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def submit(self, job: Job, model: str) -> Future[JobResult]:
        future: Future[JobResult] = self._task.remote(job, model, os.getcwd()).future()
        return future

    def stop(self) -> None:
        self._ray.shutdown()


def _remote(job: Job, model: str, here: str) -> JobResult:
    os.makedirs(here, exist_ok=True)  # on another machine, too: data sets are looked for here
    os.chdir(here)
    return work(job, model)
