"""One shape on one running cluster: rate, processor time, latency, time without a view."""

import mmap
import os
import struct
import subprocess
import tempfile
import time

from .clusters import Failed, threads_ns

WORDS = 1024  # Of the board, as client.c has it.
READY, DELIVERED, OWN, MEMBERS, VIEW_NS = range(5)


class Board:
    """The words that clients and conductor share."""

    def __init__(self):
        handle, self.path = tempfile.mkstemp(prefix="versus-board-", dir="/dev/shm")
        os.ftruncate(handle, 8 * WORDS)
        self.map = mmap.mmap(handle, 8 * WORDS)
        os.close(handle)

    def word(self, client, field):
        return struct.unpack_from("<Q", self.map, 8 * (8 * (1 + client) + field))[0]

    def set(self, index, value):
        struct.pack_into("<Q", self.map, 8 * index, value)

    def close(self):
        self.map.close()
        os.unlink(self.path)


class Crew:
    """A client on each node, in the mode that `modes` has for it, or else listening."""

    def __init__(self, cluster, modes, size, errors=None):
        self.cluster, self.board = cluster, Board()
        self.clients = []
        for node in range(1, cluster.nodes + 1):
            words = [self.board.path, str(node - 1), modes.get(node, "listen"),
                     str(size), str(cluster.nodes), str(node)]
            self.clients.append(cluster.client(node, words, errors))
            cluster.bind(node, self.clients[-1].pid)
        self.await_all(READY, lambda value: value == 1, 20)

    def await_all(self, field, good, limit_s, nodes=None):
        wanted = nodes if nodes is not None else range(1, self.cluster.nodes + 1)
        end = time.monotonic() + limit_s
        while not all(good(self.board.word(n - 1, field)) for n in wanted):
            if time.monotonic() > end:
                self.give_up()  # They would be a load on what is measured next.
                raise Failed(f"{self.cluster.name}: clients were not ready in {limit_s} s")
            time.sleep(0.002)

    def go(self):
        self.board.set(0, 1)

    def delivered(self):
        return [self.board.word(n, DELIVERED) for n in range(self.cluster.nodes)]

    def own(self, nodes):
        return [self.board.word(n - 1, OWN) for n in nodes]

    def cpu_ns(self):
        return (sum(threads_ns(p) for p in self.cluster.daemons()) +
                sum(threads_ns(c.pid) for c in self.clients))

    def give_up(self):
        for client in self.clients:
            client.kill()
            client.communicate()
        self.board.close()

    def finish(self):
        """Ends all; the sorted numbers that the first client printed."""
        self.board.set(1, 1)
        said = []
        for client in self.clients:
            try:
                said.append(client.communicate(timeout=20)[0])
            except Exception:  # It hangs on a daemon that is gone: its result is not wanted then.
                client.kill()
                client.communicate()
                said.append("")
        self.board.close()
        return [int(word) for word in said[0].split()]


def rate(cluster, size, senders, seconds):
    """Messages a second that every node delivered, and processor time a message a node."""
    crew = Crew(cluster, {node: "flood" for node in senders}, size)
    crew.go()
    time.sleep(seconds / 3)  # Warm-up: not counted.
    before, cpu, start = crew.delivered(), crew.cpu_ns(), time.monotonic()
    own = crew.own(senders)
    time.sleep(seconds)
    after, cpu_after, end = crew.delivered(), crew.cpu_ns(), time.monotonic()
    shares = [b - a for a, b in zip(own, crew.own(senders))]
    crew.finish()
    slowest = min(b - a for a, b in zip(before, after))
    if slowest == 0:
        raise Failed(f"{cluster.name}: nothing was delivered at some node")
    return {"msgs_per_s": slowest / (end - start), "mb_per_s": slowest * size / (end - start) / 1e6,
            "cpu_us": (cpu_after - cpu) / 1e3 / slowest / cluster.nodes,
            "fairness": jain(shares)}


def jain(shares):
    """1: all senders got as much through; 1 / their number: one of them alone did."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


def latency(cluster, size, sender, seconds, mode="ping"):
    """One message outstanding, in microseconds: own delivery; mode "safe": of safe messages; mode
    "trip": until the next node's answer."""
    modes = {sender: mode} | ({sender % cluster.nodes + 1: "answer"} if mode == "trip" else {})
    crew = Crew(cluster, modes, size)
    crew.go()
    time.sleep(seconds)
    order = [sender - 1]
    crew.clients = [crew.clients[i] for i in order] + [
        c for i, c in enumerate(crew.clients) if i not in order]
    numbers = crew.finish()
    if len(numbers) < 5:
        raise Failed(f"{cluster.name}: no message came back")
    return dict(zip(("p50_us", "p90_us", "p99_us", "p999_us", "max_us"),
                    (n / 1e3 for n in numbers)))


def rate_with_loss(cluster, size, senders, seconds, percent):
    """As rate(), and what share it is of the rate before, without loss."""
    whole = rate(cluster, size, senders, seconds)
    cluster.lose(percent)
    try:
        found = rate(cluster, size, senders, seconds)
    finally:
        cluster.lose(0)
    return found | {"of_lossless_percent": 100 * found["msgs_per_s"] / whole["msgs_per_s"]}


def latency_with_loss(cluster, size, sender, seconds, percent, mode):
    """As latency()."""
    cluster.lose(percent)
    try:
        return latency(cluster, size, sender, seconds, mode)
    finally:
        cluster.lose(0)


def idle(cluster, seconds):
    """Processor time of the daemons without clients, in per cent of a core a node."""
    before, start = sum(threads_ns(p) for p in cluster.daemons()), time.monotonic()
    time.sleep(seconds)
    spent = sum(threads_ns(p) for p in cluster.daemons()) - before
    return {"core_percent": spent / 1e9 / (time.monotonic() - start) / cluster.nodes * 100}


def failover(cluster, limit_s=30):
    """From SIGKILL of the last node's data path to the new view at every survivor's client."""
    # A client of the dead complains before it ends.
    crew = Crew(cluster, {}, 64, errors=subprocess.DEVNULL)
    crew.go()
    time.sleep(1)
    survivors = range(1, cluster.nodes)
    killed = time.monotonic_ns()
    cluster.kill(cluster.nodes)
    crew.await_all(MEMBERS, lambda value: value == cluster.nodes - 1, limit_s, survivors)
    last = max(crew.board.word(n - 1, VIEW_NS) for n in survivors)
    crew.finish()
    return {"view_ms": (last - killed) / 1e6}
