"""What is compared: a running cluster of either kind, and how its clients are started."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

from .arena import Arena, bridge_of, lose


class Failed(Exception):
    """Something could not be started; the text says what was seen."""


def tasks_of(pid):
    """The threads of a process; none if it has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [int(task) for task in os.listdir(f"/proc/{pid}/task")]
    return []


def threads_ns(pid):
    """Processor time of a process, of all its threads, by the scheduler's own account."""
    total = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for task in tasks_of(pid):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total


class Cluster:
    """name: how the page calls it. secure: whether frames are encrypted."""

    def __init__(self, name, family, secure, nodes):
        self.name, self.family, self.secure, self.nodes = name, family, secure, nodes
        self.command = ""  # What starts it, for the page.
        self.pinned = False

    def daemons(self, node=None):
        """Of all nodes, or of one."""
        raise NotImplementedError

    def pin(self):
        """Binds all that a node runs, and its clients from now on, to one processor: spread
        as evenly as goes, the first one with the fewest others."""
        self.pinned = True
        for node in range(1, self.nodes + 1):
            for pid in self.daemons(node):
                self.bind(node, pid)

    def bind(self, node, pid):
        """A process of a node, with all its threads, if the cluster is pinned."""
        if not self.pinned:
            return
        allowed = sorted(os.sched_getaffinity(0))
        processor = allowed[(self.nodes - node) * len(allowed) // self.nodes]
        for task in tasks_of(pid):
            with contextlib.suppress(ProcessLookupError):  # It has just ended.
                os.sched_setaffinity(task, {processor})

    def client(self, node, arguments, errors=None):
        """A process of the client program on a node; arguments as client.c has them."""
        raise NotImplementedError

    def kill(self, node):
        """SIGKILL of what carries messages on a node."""
        raise NotImplementedError

    def bridge(self):
        """Path of the network namespace in which the nodes' packets cross a bridge; None: they
        cross none, and none can be lost."""
        raise NotImplementedError

    def lose(self, percent):
        """From now on each node loses that share of what it would receive; 0: nothing any more."""
        lose(self.bridge(), percent)

    def stop(self):
        raise NotImplementedError


class Ours(Cluster):
    """`phalanx demo --serve`."""

    def __init__(self, build, transport, secure, nodes):
        super().__init__(f"phalanx {transport}", "phalanx", secure, nodes)
        self.build = build
        self.has_no_bridge = transport in ("dpdk", "shm")
        words = [build / "controlplane/cli/phalanx", "demo", "--serve", "--nodes", str(nodes),
                 "--transport", transport] + ([] if secure else ["--insecure"])
        self.command = " ".join(["phalanx", *(str(w) for w in words[1:])])
        self.process = subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.directory, said = None, []
        for line in self.process.stdout:
            said.append(line)
            found = re.search(r"PHX_RUNTIME_DIR=(\S+)", line)
            if found:
                self.directory = found.group(1)
            if "Ctrl-C" in line:
                break
        else:
            raise Failed("".join(said) + self.process.stderr.read())

    def daemons(self, node=None):
        return [pid for pid, name in descendants(self.process.pid)
                if name.startswith("phalanx-") and
                (node is None or f"n{node}" in command_line(pid))]

    def client(self, node, arguments, errors=None):
        environment = dict(os.environ)
        if self.directory:
            environment["PHX_RUNTIME_DIR"] = self.directory
        return subprocess.Popen([self.build / "perf/versus-phalanx", *arguments, f"n{node}"],
                                env=environment, stdout=subprocess.PIPE, stderr=errors,
                                text=True)

    def bridge(self):
        if self.has_no_bridge:
            return None
        for pid, _ in descendants(self.process.pid):
            if path := bridge_of(pid):
                return path
        return None

    def kill(self, node):
        for pid, name in descendants(self.process.pid):
            if name.startswith("phalanx-datapl") and f"n{node}" in command_line(pid):
                os.kill(pid, signal.SIGKILL)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


class Corosync(Cluster):
    """Debian's, each node in a network and a mount namespace: its paths and names are fixed."""

    def __init__(self, build, transport, secure, nodes, realtime=False, totem=""):
        name = f"corosync {transport}" + (", sched_rr" if realtime else "")
        super().__init__(name, "corosync", secure, nodes)
        self.build = build
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="versus-", dir="/tmp"))
        self.arena = Arena(nodes)
        self.command = ("corosync -f -c FILE, in namespaces of its own a node; FILE: " +
                        " ".join(self._config(transport, secure, 1, realtime, totem).split()))
        (self.directory / "key").write_bytes(os.urandom(128))
        self.processes = []
        for node in range(1, nodes + 1):
            config = self.directory / f"corosync{node}.conf"
            config.write_text(self._config(transport, secure, node, realtime, totem))
            log = open(self.directory / f"out{node}", "w", encoding="utf-8")
            script = ("mount -t tmpfs none /run && mkdir -p /run/lock && "
                      "mount -t tmpfs none /var/lib/corosync && exec corosync -f -c " + str(config))
            self.processes.append(subprocess.Popen(
                ["nsenter", f"--net={self.arena.path(node)}", "unshare", "--mount", "sh", "-c",
                 script], stdout=log, stderr=subprocess.STDOUT))
            log.close()
        try:
            self._wait_ready()
            if realtime and os.sched_getscheduler(self.daemons()[0]) != os.SCHED_RR:
                raise Failed("corosync may not have real-time priority here")
        except BaseException:
            self.stop()
            raise

    def _config(self, transport, secure, node, realtime, totem):
        if secure and transport != "knet":
            raise Failed("corosync encrypts over knet only")
        crypto = ("crypto_cipher: aes256\n crypto_hash: sha256\n" if secure else
                  "crypto_cipher: none\n crypto_hash: none\n" if transport == "knet" else "")
        hosts = "".join(f" node {{\n  ring0_addr: {Arena.host(n)}\n  nodeid: {n}\n"
                        f"  name: n{n}\n }}\n" for n in range(1, self.nodes + 1))
        interface = (f" interface {{\n  ringnumber: 0\n  bindnetaddr: {Arena.host(node)}\n"
                     "  mcastaddr: 239.192.0.9\n  mcastport: 5405\n }\n"
                     if transport == "udp" else "")
        return (f"totem {{\n version: 2\n cluster_name: versus\n transport: {transport}\n "
                f"{crypto} keyfile: {self.directory}/key\n{totem}{interface}}}\n"
                f"nodelist {{\n{hosts}}}\n"
                f"system {{\n sched_rr: {'yes' if realtime else 'no'}\n}}\n"
                f"logging {{\n to_stderr: no\n to_logfile: yes\n to_syslog: no\n"
                f" logfile: {self.directory}/log{node}\n}}\n")

    def _wait_ready(self, limit_s=20):
        """Until every node's log says that all are members."""
        end = time.monotonic() + limit_s
        everyone = " ".join(str(n) for n in range(1, self.nodes + 1))
        while time.monotonic() < end:
            whole = 0
            for node, process in enumerate(self.processes, 1):
                if process.poll() is not None:
                    raise Failed(f"corosync of node {node} ended with {process.returncode}: "
                                 f"{self._log(node)[-600:]}")
                members = re.findall(r"Sync members\[\d+\]: ([\d ]+)", self._log(node))
                whole += bool(members) and members[-1].strip() == everyone
            if whole == self.nodes:
                return
            time.sleep(0.05)
        raise Failed(f"corosync did not come together in {limit_s} s: {self._log(1)[-600:]}")

    def _log(self, node):
        path = self.directory / f"log{node}"
        return path.read_text(errors="replace") if path.exists() else ""

    def daemons(self, node=None):
        return [p.pid for n, p in enumerate(self.processes, 1) if node in (None, n)]

    def client(self, node, arguments, errors=None):
        pid = self.processes[node - 1].pid
        return subprocess.Popen(["nsenter", "-t", str(pid), "-n", "-m",
                                 self.build / "perf/versus-corosync-client", *arguments, "-"],
                                stdout=subprocess.PIPE, stderr=errors, text=True)

    def bridge(self):
        return self.arena.path(0)

    def kill(self, node):
        self.processes[node - 1].kill()

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.arena.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode(errors="replace").split("\0")
    except OSError:
        return []


def descendants(root):
    """(pid, name) of every process below `root`."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        rest = text[text.rindex(")") + 2:].split()
        parents[int(entry)] = int(rest[1])
        names[int(entry)] = text[text.index("(") + 1:text.rindex(")")]
    found = []
    for pid in parents:
        above = parents.get(pid)
        while above not in (None, 0, root):
            above = parents.get(above)
        if above == root:
            found.append((pid, names[pid]))
    return found
