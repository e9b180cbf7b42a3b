"""The cluster key stays where it is needed.

The text of the key file is nowhere in the memory of a process that read it, the key itself in few
places; neither in logs, status or command lines. A process that crashes leaves no core, although
its starter would let it.
"""

import json
import os
import re
import resource
import signal
import subprocess

from harness import sandbox
from harness.cluster import Cluster, program, wait_until

# One in the ring of keys and, in the control plane, one in the seal of its datagrams.
COPIES_MOST = 2


def memory(pid):
    """All that the process can read of its own: heap, stacks, data, shared memory."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            begin, end, mode = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            size = int(end, 16) - int(begin, 16)
            if mode[0] != "r" or "[v" in line or size > 1 << 30:  # A sanitizer's shadow.
                continue
            mem.seek(int(begin, 16))
            try:
                yield mem.read(size)
            except (OSError, ValueError):
                continue


def copies(pid, secret):
    return sum(part.count(secret) for part in memory(pid))


def core_dumped(process):
    """How a child of this process ended: killed, and whether the kernel wrote a core."""
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -os.WTERMSIG(status)
    assert os.WIFSIGNALED(status), status
    return os.WCOREDUMP(status)


def test_no_core(cluster):
    """Beside a program that is not protected, to see that this kernel dumps at all."""
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.chdir(cluster.directory)
    plain = subprocess.Popen(["sleep", "60"])
    plain.send_signal(signal.SIGABRT)
    dumps = core_dumped(plain)

    cluster.signal_controlplane(1, signal.SIGTERM)
    cluster.controlplanes[1].wait(20)
    dataplane = subprocess.Popen(
        ["nsenter", "--net=/run/netns/n1", program("phalanx-dataplane"), "--config",
         str(cluster.config), "--instance", "n1"], stderr=subprocess.DEVNULL)
    wait_until("the data plane listens",
               lambda: os.path.exists("/run/phalanx/n1/dataplane.sock"))
    dataplane.send_signal(signal.SIGABRT)
    assert not core_dumped(dataplane), "the data plane left a core"

    cluster.start(1)
    cluster.wait_whole()
    cluster.controlplanes[1].send_signal(signal.SIGABRT)
    assert not core_dumped(cluster.controlplanes[1]), "the control plane left a core"
    print("this kernel dumps:", dumps)


def test():
    cluster = Cluster(nodes=2)
    text = re.search("^key ([0-9a-f]{64})$", cluster.key.read_text(), re.MULTILINE)[1]
    cluster.publish(1, "words", ["last-000000"]).finish()

    for pid in (cluster.dataplane_pid(1), cluster.controlplanes[1].pid):
        name = os.readlink(f"/proc/{pid}/exe")
        assert copies(pid, b"phalanx") > 0, f"nothing of {name} could be read"
        assert copies(pid, text.encode()) == 0, f"{name} keeps the text of the key file"
        found = copies(pid, bytes.fromhex(text))
        assert found <= COPIES_MOST, f"{name} has {found} copies of the key"
        words = open(f"/proc/{pid}/cmdline", encoding="utf-8").read()
        words += open(f"/proc/{pid}/environ", encoding="utf-8").read()
        assert text not in words
    said = json.dumps([cluster.status(n) for n in cluster.nodes])
    said += "".join(path.read_text() for path in cluster.directory.glob("*.log"))
    assert text not in said.lower(), "the key was told"

    test_no_core(cluster)


sandbox.run(test)
