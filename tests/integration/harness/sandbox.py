"""Runs a test in namespaces of its own, so that nothing of it can stay behind or leak out.

The process starts itself again under unshare(1): with a process namespace, whose end ends every
process in it, however the test dies; with a mount namespace, where /run is a fresh tmpfs (sockets,
named network namespaces); and with a network namespace, which holds the bridges.
"""

import os
import shutil
import signal
import subprocess
import sys
import traceback

SKIP = 77
INSIDE = "PHX_TEST_SANDBOX"
TOOLS = ("ip", "nft", "nsenter", "unshare")


class Skip(Exception):
    """The test cannot run here; the text says why."""


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def enter(limit_s):
    """Returns inside the sandbox; the outer process waits for it and ends with its exit code."""
    if INSIDE in os.environ:
        _settle(limit_s)
        return
    if os.geteuid() != 0:
        skip("network namespaces need root")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        skip(f"not installed: {' '.join(missing)}")
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run(unshare + ["true"], capture_output=True, check=False).returncode != 0:
        skip("this machine does not let root make namespaces")
    # bash is process 1 in there: it collects what the detached data planes leave when they end.
    script = 'mount -t tmpfs tmpfs /run && mkdir /run/netns && "$@"; exit $?'
    environment = dict(os.environ, **{INSIDE: "1"})
    child = subprocess.Popen(
        unshare + ["bash", "-c", script, "sandbox", sys.executable] + sys.argv, env=environment)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: child.terminate())
    sys.exit(child.wait() & 0xFF)


def _settle(limit_s):
    def too_late(*_):
        raise TimeoutError(f"the test took longer than {limit_s} s")

    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(limit_s)


def run(test, limit_s=60):
    """Runs test() in the sandbox; a failure prints why, and what every process said."""
    enter(limit_s)
    from harness.cluster import Cluster  # Only of use in the sandbox.

    try:
        test()
    except Skip as reason:
        skip(reason)
    except Exception:
        signal.alarm(0)
        traceback.print_exc()
        for cluster in Cluster.alive:
            cluster.tell()
        sys.exit(1)
    finally:
        signal.alarm(0)
        for cluster in Cluster.alive:
            cluster.close()
    print("ok")
