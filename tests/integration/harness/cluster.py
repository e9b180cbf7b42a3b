"""A cluster of real nodes, each in a network namespace of its own."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

from harness import sandbox
from harness.client import Publisher, Stream, Subscriber
from harness.network import Network

# Sanitizers slow programs five times and more: their clusters judge one another less strictly.
SLOW = int(os.environ.get("PHX_TEST_SLOW", "1"))


def program(name):
    path = os.environ.get(f"PHX_{name.upper().replace('-', '_')}")
    if path is None:
        raise RuntimeError(f"the path of {name} is not in the environment; run this through meson")
    return path


def wait_until(what, condition, limit_s=20.0):
    """Polls until condition() is true; says what it waited for when time is up."""
    end = time.monotonic() + limit_s * SLOW
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {limit_s * SLOW:.0f} s in vain: {what}")


def transport(words):
    """The [transport] table for a test's arguments: "shm", "memif", "af_packet" or "af_xdp"; else
    UDP."""
    ports = {"memif": "memif", "af_packet": "net_af_packet0,iface=data",
             "af_xdp": "net_af_xdp0,iface=data,busy_budget=0"}
    if "af_xdp" in words:
        try:
            socket.socket(44, socket.SOCK_RAW).close()  # AF_XDP; python has no name for it.
        except OSError as refused:
            raise sandbox.Skip(f"this kernel has no AF_XDP sockets: {refused}") from refused
    if "shm" in words:
        return '[transport]\nkind = "shm"\n'
    for word in words:
        if word in ports:
            # Without hugepages, so that it runs wherever the rest does.
            endpoint = "[ff05::7068:1]:5407" if "ipv6" in words else "239.192.0.7:5407"
            group = f'multicast = "{endpoint}"\n' if "group" in words else ""
            return (f'[transport]\nkind = "dpdk"\nport = "{ports[word]}"\n'
                    f'eal = "--no-huge -m 64"\n{group}')
    return ""


class Cluster:
    """Configuration, control planes by node, and the clients that were started on it."""

    alive = []

    def __init__(self, nodes=3, ipv6=False, cluster="", extra="", start=True, second=False,
                 dead_after_ms=100):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="cluster-", dir="/run"))
        self.nodes = range(1, nodes + 1)
        self.network = Network(nodes, ipv6, second)
        self.controlplanes = {}
        self.clients = []
        self.cluster_keys = cluster
        self.dead_after_ms = dead_after_ms * SLOW
        self.key = self.directory / "cluster.key"
        self.config = self.directory / "phalanx.toml"
        subprocess.run([program("phalanx"), "key", "generate", str(self.key)], check=True,
                       stdout=subprocess.DEVNULL, timeout=20)
        self.config.write_text(self.config_text(extra), encoding="utf-8")
        Cluster.alive.append(self)
        if start:
            for node in self.nodes:
                self.start(node)
            self.wait_whole()

    def config_text(self, extra="", key=None):
        """One file serves all nodes: the instance names the entry. `extra` is whole tables."""
        lines = [
            "[node]", f'state_directory = "{self.directory}/state"',
            "[cluster]", 'name = "test"', f'key_file = "{key or self.key}"',
            f'dead_after = "{self.dead_after_ms}ms"', f'stall_after = "{500 * SLOW}ms"',
            self.cluster_keys,
        ]
        for node in self.nodes:
            lines += [
                "[[cluster.nodes]]", f"id = {node}", f'name = "n{node}"',
                f'address = "{self.network.endpoint(node)}"',
                f'management = "{self.network.endpoint(node, "mgmt")}"',
            ]
            if "second" in self.network.wires:
                lines.append(f'second = "{self.network.endpoint(node, "second")}"')
        return "\n".join(lines) + "\n" + extra + "\n"

    # Processes.

    def start(self, node, config=None):
        """Starts a node's control plane, which starts the data plane unless one is there."""
        log = open(self.directory / f"n{node}.log", "ab")
        self.controlplanes[node] = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/n{node}", program("phalanx-controlplane"),
             "--config", str(config or self.config), "--instance", f"n{node}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment())
        log.close()

    def refused(self, text, code, *words):
        """Starts node 1 with that configuration; it must end by itself, `words` in its error."""
        config = self.directory / "bad.toml"
        config.write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["nsenter", "--net=/run/netns/n1", program("phalanx-controlplane"), "--config",
             str(config), "--instance", "n1"], capture_output=True, text=True,
            timeout=20 * SLOW, check=False, stdin=subprocess.DEVNULL, env=self._environment())
        said = done.stderr + done.stdout
        assert done.returncode == code, f"{words}: exit {done.returncode}, not {code}:\n{said}"
        for word in words:
            assert word in said, f"{word!r} is not in:\n{said}"
        return said

    def _environment(self):
        directory = os.path.dirname(program("phalanx-dataplane"))
        return dict(os.environ, PATH=f"{directory}:{os.environ['PATH']}")

    def signal_controlplane(self, node, number):
        self.controlplanes[node].send_signal(number)
        if number == signal.SIGKILL:
            self.controlplanes[node].wait(10)

    def dataplane_pid(self, node):
        """Found in /proc, so that no test depends on what a node says about itself; 0: none."""
        wanted = f"n{node}".encode()
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                words = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"phalanx-dataplane") and wanted in words:
                return int(entry)
        return 0

    def signal_dataplane(self, node, number):
        pid = self.dataplane_pid(node)
        assert pid, f"n{node} has no data plane"
        os.kill(pid, number)
        return pid

    # What nodes say.

    def phalanx(self, node, *words, check=False):
        """Runs one command against a node; returns the finished process."""
        done = subprocess.run([program("phalanx"), "--instance", f"n{node}", *words],
                              capture_output=True, text=True, timeout=20 * SLOW, check=False)
        if check:
            assert done.returncode == 0, f"{words}: {done.returncode} {done.stderr}"
        return done

    def status(self, node):
        done = self.phalanx(node, "status", "--json")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def conditions(self, node):
        """Names of what is wrong now; None when the node does not run. What is only remembered,
        for as long as an operator should know of it, is no state to wait for."""
        status = self.status(node)
        if "conditions" not in status:
            return None
        past = ("clients_evicted", "worker_stalled")
        return {one["condition"] for one in status["conditions"]} - set(past)

    def is_whole(self, node):
        """The node runs and every configured node is in its view."""
        return self.conditions(node) == set()

    def is_degraded(self, node):
        return bool(self.conditions(node))

    def wait_whole(self, nodes=None):
        for node in nodes or self.nodes:
            wait_until(f"n{node} has every node in its view", lambda n=node: self.is_whole(n))

    def wait_degraded(self, nodes):
        for node in nodes:
            wait_until(f"n{node} misses a node", lambda n=node: self.is_degraded(n))

    # Clients.

    def subscribe(self, node, group, **options):
        client = Subscriber(self, node, group, **options)
        self.clients.append(client)
        return client

    def subscribe_all(self, group, nodes=None):
        """One subscriber a node, all of them members: each has printed the same first message."""
        subscribers = [self.subscribe(node, group) for node in nodes or self.nodes]
        for subscriber in subscribers:
            wait_until(f"{subscriber.name} has joined", subscriber.lines)
        self.publish(1, group, ["ready-000000"]).finish()
        for subscriber in subscribers:
            subscriber.wait_for("ready-000000")
        return subscribers

    def stream(self, node, group, name, **options):
        client = Stream(self, node, group, name, **options)
        self.clients.append(client)
        return client

    def publish(self, node, group, lines, **options):
        client = Publisher(self, node, group, lines, **options)
        self.clients.append(client)
        return client

    # Ends.

    def tell(self):
        for path in sorted(self.directory.glob("*.log")):
            text = path.read_text(errors="replace").splitlines()
            print(f"--- {path.name}, {len(text)} lines", *text[-40:], sep="\n")
        for client in self.clients:
            client.tell()

    def close(self):
        """The sandbox would end them as well; an orderly end also shows that there is one."""
        for client in self.clients:
            client.kill()
        for controlplane in self.controlplanes.values():
            controlplane.kill()
        Cluster.alive.remove(self)
