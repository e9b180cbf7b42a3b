"""`phalanx demo` does what it says, says it in the promised JSON, and leaves nothing behind."""

import json
import os
import pathlib
import signal
import subprocess
import sys

from harness import sandbox
from harness.cluster import SLOW, program, wait_until

NOBODY = 65534
KEYS = ["version", "transport", "encrypted", "nodes", "senders", "size_bytes", "seconds", "sent",
        "delivered", "rate_msgs_per_s", "latency_us", "order", "faults", "cpu_us_per_msg_per_node",
        "rss_mb_per_node", "ok"]


def left_behind():
    processes = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"phalanx-" in line or b"demo-client" in line:
                processes.append(line.decode().replace("\0", " "))
    return processes + [str(p) for p in pathlib.Path("/run").glob("phalanx*")]


def demo(*words):
    return [program("phalanx"), "demo", "--seconds", "0.5", *words]


def test_result(*words, **popen):
    done = subprocess.run(demo("--json", *words), capture_output=True, text=True,
                          timeout=45 * SLOW, check=False, **popen)
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}{done.stderr}"
    result = json.loads(done.stdout)
    assert list(result) == KEYS, list(result)
    assert result["ok"] and result["order"]["agree"], result
    assert result["sent"] > 0 and len(result["delivered"]) == result["nodes"], result
    for name in ("p50", "p99", "p999", "max"):
        assert result["latency_us"][name] > 0, result
    assert left_behind() == []
    return result


def test_fault():
    result = test_result()
    fault, = result["faults"]
    assert fault["kind"] == "kill-dataplane" and fault["node"] == 3, fault
    assert 0 < fault["view_ms"] < fault["rejoin_ms"], fault
    assert result["delivered"][0] == result["delivered"][1] == result["sent"], result


def test_no_fault():
    result = test_result("--fault", "none", "--insecure", "--nodes", "2", "--senders", "2",
                         "--size", "1400")
    assert result["faults"] == [] and not result["encrypted"], result
    assert result["delivered"] == [result["sent"]] * 2, result
    # Nobody to compare with, and nobody to survive: both are said, and what was measured is shown.
    alone = subprocess.run(demo("--nodes", "1"), capture_output=True, text=True,
                           timeout=45 * SLOW, check=False)
    assert alone.returncode == 0 and "no survivors" in alone.stderr, alone
    assert "only one client lived through" in alone.stdout, alone.stdout
    assert "the same 0 messages" not in alone.stdout, alone.stdout


def test_user():
    """Not root: loopback ports instead of namespaces, and the same promise."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    plain = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    result = test_result(user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", env=plain)
    assert result["faults"][0]["rejoin_ms"] > 0, result


def test_udp():
    assert test_result("--transport", "udp")["transport"] == "udp"


def test_shm():
    """Between nodes that share memory: as anybody, without hugepages."""
    result = test_result("--transport", "shm", "--senders", "3")
    assert result["transport"] == "shm", result
    assert result["faults"][0]["rejoin_ms"] > 0, result


def test_dpdk():
    """Over memif, with hugepages that the demo gets and gives back."""
    pages = pathlib.Path("/proc/sys/vm/nr_hugepages")
    before = pages.read_text()
    tried = subprocess.run(demo("--transport", "dpdk", "--fault", "none", "--nodes", "1"),
                           capture_output=True, text=True, timeout=45 * SLOW, check=False)
    if tried.returncode == 2:
        sandbox.skip(tried.stderr)
    result = test_result("--transport", "dpdk", "--senders", "3")
    assert result["transport"] == "dpdk:memif", result
    assert result["faults"][0]["rejoin_ms"] > 0, result
    assert pages.read_text() == before


def test_ethernet():
    """A port of DPDK's for each node, on a veth pair, and a second one for the kernel."""
    tried = subprocess.run(demo("--transport", "ethernet", "--fault", "none", "--nodes", "1"),
                           capture_output=True, text=True, timeout=45 * SLOW, check=False)
    if tried.returncode == 2:
        sandbox.skip(tried.stderr)
    result = test_result("--transport", "ethernet")
    assert result["transport"] == "dpdk:af_packet", result
    assert result["faults"][0]["rejoin_ms"] > 0, result


def test_interrupt():
    """Ctrl-C reaches the whole foreground process group."""
    served = subprocess.Popen(demo("--serve"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, start_new_session=True)
    told = []
    for line in served.stdout:
        told.append(line.strip())
        if "Ctrl-C" in line:
            break
    # As it is printed it works, wherever the program was built.
    command, = (line for line in told if line.endswith("--instance n2 status"))
    status = subprocess.run(command, shell=True, capture_output=True, text=True,
                            timeout=10 * SLOW, check=False)
    assert status.returncode == 0 and status.stdout.startswith("fine"), status
    os.killpg(served.pid, signal.SIGINT)
    assert served.wait(10 * SLOW) == 0
    wait_until("nothing is left", lambda: left_behind() == [], 5)


def test():
    {"fault": test_fault, "no-fault": test_no_fault, "user": test_user,
     "interrupt": test_interrupt, "udp": test_udp, "shm": test_shm, "dpdk": test_dpdk,
     "ethernet": test_ethernet}[sys.argv[1]]()


sandbox.run(test, limit_s=100)
