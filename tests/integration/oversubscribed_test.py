"""Three nodes send for minutes while twice as many hogs as processors run beside them.

With default timeouts. Nothing is lost or delivered twice, and who goes from view to view together
delivers the same; how many views there were is told. Argument: minutes, or PHX_TEST_MINUTES.
"""

import os
import subprocess
import sys
import time

from harness import check, sandbox
from harness.audit import Audit
from harness.cluster import SLOW, Cluster

LINES_PER_S = 300  # So that numbers of six digits last for an hour.


def test():
    minutes = float(os.environ.get("PHX_TEST_MINUTES", sys.argv[1]))
    cluster = Cluster(nodes=3, start=False)
    if SLOW == 1:  # The defaults.
        kept = [line for line in cluster.config.read_text().splitlines()
                if not line.startswith(("dead_after", "stall_after"))]
        cluster.config.write_text("\n".join(kept) + "\n")
    for node in cluster.nodes:
        cluster.start(node)
    cluster.wait_whole()
    subscribers = cluster.subscribe_all("words")
    audit = Audit(cluster)
    streams = [cluster.stream(n, "words", f"pub{n}", lines_per_s=LINES_PER_S)
               for n in cluster.nodes]
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
            for _ in range(2 * len(os.sched_getaffinity(0)))]
    try:
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            for stream in streams:
                stream.more(LINES_PER_S)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    cluster.wait_whole()
    for stream in streams:
        stream.finish(limit_s=120)
    cluster.publish(1, "words", ["last-000000"]).finish()

    for subscriber, stream in zip(subscribers, streams):
        subscriber.wait_for("last-000000", limit_s=60)
        check.no_duplicates(subscriber)
        check.complete(subscriber, stream)
    check.within_views(subscribers)
    audit.check("words", expected=len(subscribers))
    sent = sum(len(stream.sent) for stream in streams)
    print(f"{minutes} minutes, {sent} messages, "
          f"{len(subscribers[0].views()) - 1} view changes at n1")


sandbox.run(test, limit_s=int(os.environ.get("PHX_TEST_LIMIT_S", "110")))
