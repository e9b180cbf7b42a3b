"""`phalanx demo` as users run it: it keeps its promise, and leaves nothing behind.

Argument: "root" (namespaces), "user" (loopback ports, as nobody), "interrupt" (Ctrl-C).
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from harness import sandbox
from harness.cluster import SLOW, program, wait_until

NOBODY = 65534
KEYS = {"version", "transport", "encrypted", "nodes", "senders", "size_bytes", "seconds", "sent",
        "delivered", "rate_msgs_per_s", "latency_us", "order", "faults",
        "cpu_us_per_msg_per_node", "rss_mb_per_node", "ok"}


def phalanx_processes():
    names = []
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            names.append(path.read_text(encoding="utf-8").strip())
        except OSError:
            pass
    return [name for name in names if name.startswith("phalanx")]


def start(**options):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return subprocess.Popen([program("phalanx"), "demo", "--json", "--seconds", str(SLOW)],
                            stdout=subprocess.PIPE, text=True, **options)


def nothing_is_left():
    wait_until("all processes of the demo are gone", lambda: not phalanx_processes(), 5)
    left = [path for path in pathlib.Path("/run").iterdir() if "phalanx" in path.name]
    assert not left, f"left in /run: {left}"
    spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    assert not spaces.stdout.strip(), f"left: {spaces.stdout}"


def test_result(**options):
    demo = start(**options)
    output, _ = demo.communicate(timeout=60 * SLOW)

    report = json.loads(output)
    assert demo.returncode == 0, f"exit {demo.returncode}: {output}"
    assert report["ok"] is True and report["order"]["agree"] is True, output
    assert KEYS <= report.keys(), f"missing: {KEYS - report.keys()}"
    assert report["encrypted"] is True and report["nodes"] == 3, output
    assert len(report["delivered"]) == 3 and min(report["delivered"]) > 0, output
    fault = report["faults"][0]
    assert fault["kind"] == "kill-dataplane" and fault["rejoin_ms"] > 0, output
    nothing_is_left()


def test_interrupt():
    demo = start(stderr=subprocess.DEVNULL)
    wait_until("data planes run", lambda: phalanx_processes().count("phalanx-datapla") >= 3)
    time.sleep(0.3)  # Not a wait for a state: any moment of the run must do.
    demo.send_signal(signal.SIGINT)
    code = demo.wait(20 * SLOW)
    assert code != 0, "an interrupted demo has shown nothing"
    nothing_is_left()


def test():
    if sys.argv[1] == "interrupt":
        test_interrupt()
    elif sys.argv[1] == "user":
        environment = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        test_result(user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", env=environment)
    else:
        test_result()


sandbox.run(test)
