"""phalanx-metrics: started by the configuration, without rights; its text is what Prometheus reads;
hostile HTTP clients get nothing out of it; it goes on while daemons die and come back."""

import json
import os
import pathlib
import re
import signal
import subprocess

from harness import sandbox
from harness.client import numbered
from harness.cluster import SLOW, Cluster, program, wait_until

PORT = 9464
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"^({NAME})(?:\{{({LABEL}(?:,{LABEL})*,?)\}})? (\S+)$")


class Curl:
    """Inside a node's namespace: the port is on its loopback."""

    def __init__(self, node):
        self.node = node

    def __call__(self, path):
        done = subprocess.run(
            ["nsenter", f"--net=/run/netns/n{self.node}", "python3", "-c", FETCH, path],
            capture_output=True, text=True, timeout=30 * SLOW, check=False)
        assert done.returncode == 0, done.stderr
        status, _, body = done.stdout.partition("\n")
        return int(status), body


FETCH = f"""
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen("http://127.0.0.1:{PORT}" + sys.argv[1], timeout=20)
except urllib.error.HTTPError as error:
    answer = error
except OSError:
    print(0)
    sys.exit()
print(answer.status if hasattr(answer, "status") else answer.code)
sys.stdout.write(answer.read().decode())
"""


def lint(text):
    """The rules of promtool check metrics, and the format's own."""
    types, helps, seen, values = {}, {}, set(), {}
    family, done = None, set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, helped = line[7:].split(" ", 1)
            assert name not in helps and helped.strip(), line
            helps[name] = helped
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name not in types and kind in ("counter", "gauge"), line
            types[name] = kind
        else:
            match = SAMPLE.match(line)
            assert match, f"no sample: {line!r}"
            name, labels, value = match.groups()
            if name != family:
                assert name not in done, f"{name} is in two places"
                done.add(family)
                family = name
            assert (name, labels) not in seen, f"twice: {line}"
            seen.add((name, labels))
            values[name, labels or ""] = float(value)
            assert name in types and name in helps, f"no TYPE or HELP: {name}"
    for name, kind in types.items():
        assert name.startswith("phx_"), name
        assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
        assert not re.search(r"_(ms|milliseconds|us|ns|kb|mib|percent)(_|$)", name), name
    assert len(seen) < 1000, len(seen)
    return values


def shown(get):
    """What is served, once all messages are in it."""
    status, text = get("/metrics")
    assert status == 200, text
    values = lint(text)
    return values if any(
        name == "phx_group_messages_total" and 'group="words"' in labels and value >= 300
        for (name, labels), value in values.items()) else None


def looks_right(cluster, get):
    cluster.subscribe_all("words")
    cluster.publish(1, "words", numbered("metric", 300)).finish()
    values = wait_until("the tables, written ten times a second, show it", lambda: shown(get))
    assert values["phx_up", ""] == values["phx_ready", ""] == values["phx_quorate", ""] == 1
    assert values["phx_view_members", ""] == 3 == values["phx_configured_nodes", ""]
    assert values["phx_messages_sent_total", ""] >= 300, values
    assert values["phx_peer_in_view", 'peer="2"'] == 1, values
    assert {labels for name, labels in values if name == "phx_condition"} >= {
        'condition="no_quorum"', 'condition="node_missing"'}
    rules_name_what_there_is(values)
    later = lint(get("/metrics")[1])
    assert later["phx_worker_turns_total", ""] > values["phx_worker_turns_total", ""]
    assert json.loads(get("/status.json")[1])["node"] == 1
    assert get("/healthz") == (200, "alive\n") and get("/readyz") == (200, "ready\n")
    assert get("/etc/passwd")[0] == 404


def rules_name_what_there_is(values):
    """Every metric, condition and reason of the alert rules is served."""
    rules = (pathlib.Path(__file__).parents[2] / "deploy/prometheus/phalanx.rules.yml").read_text(
        encoding="utf-8")
    names = set(re.findall(r"\bphx_[a-z_]+", rules))
    assert len(names) > 8 and names <= {name for name, _ in values}, names
    labels = {label for _, label in values}
    for word in re.findall(r'(?:reason|condition)[=!]~?"([a-z_|]+)"', rules):
        for one in word.split("|"):
            assert f'reason="{one}"' in labels or f'condition="{one}"' in labels, one


def metrics_pid():
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as line:
                words = line.read().split(b"\0")
                if words[0].endswith(b"phalanx-metrics") and b"n1" in words:
                    return int(entry)
        except OSError:
            continue
    return 0


def has_no_rights():
    with open(f"/proc/{metrics_pid()}/status", encoding="ascii") as lines:
        facts = dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
    assert set(facts["Uid"].split()) == {"65534"}, facts["Uid"]
    assert facts["Groups"].strip() == "", facts["Groups"]
    assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0, facts["CapEff"]
    assert facts["NoNewPrivs"].strip() == "1"
    return int(facts["VmRSS"].split()[0])


HOSTILE = f"""
import socket, time
def connect():
    s = socket.create_connection(("127.0.0.1", {PORT}), timeout=30)
    return s
idle = [connect() for _ in range(7)]                        # More than are served at a time.
for s in idle[:3]:
    s.sendall(b"GET /metrics HTTP/1.1\\r\\nX: ")               # Headers without an end.
line = b"GET /metrics HTTP/1.1\\r\\n"
for text in (b"\\0" * 5000, b"GET / HTTP/9.9\\r\\n\\r\\n", b"GET " + b"a" * 100000,
             b"\\r\\n" * 9999, line + b"".join(b"h%d: x\\r\\n" % i for i in range(20000)),
             b"POST" + line[3:] + b"Content-Length: 999999999999\\r\\n\\r\\n" + b"x" * 100000,
             b"GET /%00%ff%0d%0a HTTP/1.1\\r\\n\\r\\n",
             b"GET /../../etc/passwd HTTP/1.1\\r\\n\\r\\n"):
    s = connect()
    try:
        s.sendall(text)
        s.settimeout(30)
        answer = s.recv(65536)
        assert b"root:" not in answer, answer
    except OSError:
        pass
begun = time.monotonic()
for s in idle:                                              # Each is cut at its deadline.
    s.settimeout(60)
    try:
        while s.recv(65536):
            pass
    except ConnectionResetError:
        pass
print("all cut after", round(time.monotonic() - begun, 1), "s")
"""


def survives_hostile_clients(get):
    before = has_no_rights()
    pid = metrics_pid()
    done = subprocess.run(["nsenter", "--net=/run/netns/n1", "python3", "-c", HOSTILE],
                          capture_output=True, text=True, timeout=100 * SLOW, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout.strip())
    assert metrics_pid() == pid and get("/healthz")[0] == 200
    after = has_no_rights()
    assert after < before + 8192 * SLOW, f"{before} KiB before, {after} after"


def survives_the_daemons(cluster, get):
    pid = metrics_pid()
    cluster.signal_controlplane(1, signal.SIGKILL)
    values = wait_until("the control plane is missed",
                        lambda: (lambda v: v if v["phx_up", ""] == 0 else None)(
                            lint(get("/metrics")[1])))
    assert values["phx_dataplane_up", ""] == 1, "the data plane goes on, and so do its counters"
    assert get("/readyz")[0] == 503 and get("/status.json")[0] == 503
    assert get("/healthz")[0] == 200
    cluster.start(1)
    wait_until("the new control plane is found", lambda: get("/readyz")[0] == 200)
    cluster.signal_dataplane(1, signal.SIGKILL)
    wait_until("the new data plane is found",
               lambda: lint(get("/metrics")[1]).get(("phx_ready", "")) == 1)
    assert metrics_pid() == pid
    os.kill(pid, signal.SIGKILL)
    wait_until("it is started again", lambda: metrics_pid() not in (0, pid), limit_s=60)
    wait_until("and serves", lambda: get("/readyz")[0] == 200)

    cluster.network.split((1,), (2, 3))
    def not_ready():
        status, text = get("/readyz")
        return status == 503 and "not quorate" in text

    # For as long as the view is being agreed on, that is what it waits for.
    wait_until("a minority is not ready", not_ready)
    wait_until("and says so", lambda: lint(get("/metrics")[1])[
        "phx_condition", 'condition="no_quorum"'] == 1)


def by_hand(cluster):
    """Refused where others could reach it; the same user's node needs no setting."""
    command = [program("phalanx-metrics"), "--config", str(cluster.config), "--instance", "n2"]
    done = subprocess.run(command + ["--listen", "0.0.0.0:9464"], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 2 and "loopback" in done.stderr, done
    done = subprocess.run(command + ["--user", "root"], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 2 and "that is root" in done.stderr, done


def test():
    cluster = Cluster(extra=f'[metrics]\nlisten = "127.0.0.1:{PORT}"', start=False)
    for node in cluster.nodes:
        cluster.start(node)
    cluster.wait_whole()
    get = Curl(1)
    wait_until("it serves", lambda: get("/healthz")[0] == 200)
    # One of the three is looked at; the others' are in namespaces of their own.
    for node in (2, 3):
        wait_until(f"n{node} serves", lambda n=node: Curl(n)("/healthz")[0] == 200)
    looks_right(cluster, get)
    by_hand(cluster)
    survives_hostile_clients(get)
    survives_the_daemons(cluster, get)


sandbox.run(test, limit_s=110)
