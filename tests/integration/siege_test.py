"""One kind of fault, again and again, while every node sends: siege_test.py FAULT TIMES [PORTS].

Nothing is lost or delivered twice, who goes from view to view together delivers the same, and when
all is over nothing is left behind: no member, process, memory, descriptor or hugepage.
PHX_TEST_TIMES overrides TIMES.
"""

import os
import random
import signal
import sys
import time

from harness import check, sandbox
from harness.audit import Audit
from harness.client import numbered
from harness.cluster import SLOW, Cluster, transport, wait_until

GROUP = "words"


class Siege:
    """Three nodes under load. Nodes 1 (it orders) and 2 are attacked by turns."""

    deadly = False  # A data plane dies: its publishers may lose what it had accepted.
    filters = False  # Packets are dropped by the bridge's filter, which memif goes past.

    def __init__(self, times):
        if self.filters and {"memif", "shm"} & set(sys.argv):
            raise sandbox.Skip("over shared memory no filter sees the packets")
        self.times = times
        self.draw = random.Random(times)
        self.cluster = Cluster(nodes=3, extra=transport(sys.argv))

    def attack(self, victim):
        raise NotImplementedError

    def after(self, victim):
        """Until all nodes are in one view again."""
        self.cluster.network.heal()
        self.cluster.wait_whole()

    def run(self):
        cluster = self.cluster
        subscribers = cluster.subscribe_all(GROUP)
        audit = Audit(cluster)
        senders = [3] if self.deadly else list(cluster.nodes)
        streams = [cluster.stream(n, GROUP, f"pub{n}", lines_per_s=400) for n in senders]
        for stream in streams:
            stream.more()
        for number in range(self.times):
            victim = 1 + number % 2
            self.attack(victim)
            self.after(victim)
            for stream in streams:
                stream.more(20)
        for stream in streams:
            stream.finish(limit_s=120)
        last = cluster.publish(3, GROUP, numbered("last", 1))
        last.finish()
        self.judge(subscribers, streams)
        audit.check(GROUP, expected=len(subscribers))

    def judge(self, subscribers, streams):
        for subscriber in subscribers:
            subscriber.wait_for("last-000000", limit_s=60)
            check.no_duplicates(subscriber)
        for stream in streams:  # At its own node it was never away.
            check.complete(subscribers[int(stream.name.split()[1][1:]) - 1], stream)
        lived = subscribers[2:] if self.deadly else subscribers
        compared = check.within_views(lived)
        if self.deadly:  # Once more than they died: the first message is of before they joined.
            for subscriber in subscribers[:2]:
                check.in_order_of(subscriber, subscribers[2], 1 + (self.times + 1) // 2)
        sent = sum(len(stream.sent) for stream in streams)
        print(f"{self.times} times, {sent} messages, {compared} views compared")


class KillDataplane(Siege):
    """SIGKILL of a data plane, at any point."""

    deadly = True

    def attack(self, victim):
        time.sleep(self.draw.random() / 20)
        self.old = self.cluster.signal_dataplane(victim, signal.SIGKILL)

    def after(self, victim):
        wait_until("a data plane is started again",
                   lambda: self.cluster.dataplane_pid(victim) not in (0, self.old))
        super().after(victim)


class KillNode(KillDataplane):
    """SIGKILL of both processes of a node."""

    def attack(self, victim):
        time.sleep(self.draw.random() / 20)
        self.cluster.signal_controlplane(victim, signal.SIGKILL)
        self.old = self.cluster.signal_dataplane(victim, signal.SIGKILL)
        wait_until("it is gone", lambda: self.cluster.dataplane_pid(victim) == 0)
        self.cluster.start(victim)


class KillControlplane(Siege):
    """SIGKILL of a control plane: no view may change."""

    def attack(self, victim):
        time.sleep(self.draw.random() / 20)
        self.cluster.signal_controlplane(victim, signal.SIGKILL)
        self.cluster.start(victim)

    def judge(self, subscribers, streams):
        super().judge(subscribers, streams)
        check.same(subscribers, lambda s: s.lines_from("ready-000000"))
        for subscriber in subscribers:
            assert len(subscriber.views()) == 1, f"a view changed: {subscriber.views()}"


class Stop(Siege):
    """SIGSTOP of a data plane for each of these times, SIGCONT."""

    seconds = (0.01, 0.05, 0.7, 1.5)

    def attack(self, victim):
        seconds = self.seconds[self.draw.randrange(len(self.seconds))]
        self.cluster.signal_dataplane(victim, signal.SIGSTOP)
        time.sleep(seconds)
        self.cluster.signal_dataplane(victim, signal.SIGCONT)


class StopLong(Stop):
    seconds = (3, 10, 30)


class StopNode(Stop):
    """SIGSTOP of both processes of a node, as a host does that hangs."""

    def attack(self, victim):
        self.cluster.signal_controlplane(victim, signal.SIGSTOP)
        super().attack(victim)
        self.cluster.signal_controlplane(victim, signal.SIGCONT)


class Split(Siege):
    """Two nodes and one, apart for a while."""

    filters = True

    def attack(self, victim):
        self.cluster.network.split((victim,), [n for n in self.cluster.nodes if n != victim])
        self.cluster.wait_degraded(self.cluster.nodes)


class OneWay(Siege):
    """Another node hears the victim no more; all else is heard."""

    filters = True

    def attack(self, victim):
        self.cluster.network.cut(victim, 3)
        wait_until("some node misses another",
                   lambda: any(self.cluster.is_degraded(n) for n in self.cluster.nodes))
        time.sleep(self.draw.random())


class Link(Siege):
    """Both cables are pulled."""

    def attack(self, victim):
        self.cluster.network.link(victim, "down")
        self.cluster.wait_degraded(self.cluster.nodes)
        self.cluster.network.link(victim, "up")


class Loss(Siege):
    """Every node loses a fifth of what it receives."""

    filters = True

    def attack(self, victim):
        for node in self.cluster.nodes:
            self.cluster.network.lose(node, percent=20)
        time.sleep(1)


FAULTS = {"kill-dataplane": KillDataplane, "kill-node": KillNode,
          "kill-controlplane": KillControlplane, "stop": Stop, "stop-long": StopLong,
          "stop-node": StopNode, "split": Split, "one-way": OneWay, "link": Link, "loss": Loss}


def test():
    times = os.environ.get("PHX_TEST_TIMES", max(2, int(sys.argv[2]) // SLOW))
    FAULTS[sys.argv[1]](int(times)).run()


sandbox.run(test, limit_s=int(os.environ.get("PHX_TEST_LIMIT_S", "110")))
