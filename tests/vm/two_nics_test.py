"""Two nodes over two NICs of a real PCI driver: e1000e through vfio-pci, on one emulated wire.

They deliver the same; a cable that is pulled is told by the node that has it, long before silence
would tell, be it by an interrupt (n1) or because the worker asks (n2); a data plane that is killed
gets its device back and its node the end of the sequence.
"""

import re
import signal
import time

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import Cluster, wait_until
from nics import ADDRESSES, few_drivers

SILENCE_S = 30  # What a peer's silence takes to convict it here.


def start():
    extra = '[transport]\nkind = "dpdk"\nport = "PCI"\neal = "EAL"\n'
    extra += 'multicast = "239.192.0.7:5407"\n'  # For all; the rest goes to one peer.
    cluster = Cluster(nodes=2, extra=extra, start=False)
    text = cluster.config.read_text(encoding="utf-8")
    for key in ("dead_after", "stall_after"):
        text = re.sub(f'{key} = "[0-9]+ms"', f'{key} = "{SILENCE_S}s"', text)
    for node, address in zip(cluster.nodes, ADDRESSES):
        config = cluster.directory / f"n{node}.toml"
        words = {1: "--vfio-intr=msi", 2: ""}[node]
        config.write_text(text.replace("PCI", address).replace("EAL", words), encoding="utf-8")
        cluster.start(node, config)
    cluster.wait_whole()
    return cluster


def shows_its_port(cluster, node):
    """`phalanx status` names port, driver, link and drops."""
    address = ADDRESSES[node - 1]
    wait_until(f"the port of n{node} has a link",
               lambda: cluster.status(node)["transport"]["ports_up"] == 1)
    transport = cluster.status(node)["transport"]
    assert (transport["port"], transport["ports"]) == (address, 1), transport
    text = cluster.phalanx(node, "status").stdout
    for words in (f"dpdk {address}, net_e1000_em, 1 of 1 ports up", "lost ", "refused "):
        assert words in text, f"{words!r} is not in\n{text}"


def cable(cluster, node, state):
    """Until the node says so, asks the monitor of the machine that this runs in to pull the cable
    of the node's NIC, or to plug it: an emulated serial port may lose a line."""
    def said():
        with open("/dev/ttyS3", "w", encoding="ascii") as monitor:
            monitor.write(f"set_link nic{node - 1} {state}\n")
        return cluster.status(node)["link"]["up"] is (state == "on")
    wait_until(f"n{node} says that its link is {state}", said)


def test_cable(cluster, node):
    began = time.monotonic()
    cable(cluster, node, "off")
    told = time.monotonic() - began
    cluster.wait_degraded(cluster.nodes)
    took = time.monotonic() - began
    assert took < SILENCE_S / 2, f"it took {took:.1f} s: silence told it, not the node"
    address = ADDRESSES[node - 1]
    text = cluster.phalanx(node, "status").stdout
    assert f"link {address} is down" in text and "0 of 1 ports up" in text, text
    print(f"n{node}'s cable: told in {told:.1f} s, alone in {took:.1f} s")
    cable(cluster, node, "on")
    cluster.wait_whole()


def test():
    few_drivers("net_e1000")
    cluster = start()
    for node in cluster.nodes:
        shows_its_port(cluster, node)
    first, second = cluster.subscribe_all("words")
    publishers = [cluster.publish(n, "words", numbered(f"pub{n}", 2000)) for n in cluster.nodes]
    for publisher in publishers:
        publisher.finish()
        for subscriber in (first, second):
            subscriber.wait_for(publisher.sent[-1])
    for subscriber in (first, second):
        check.complete(subscriber, *publishers)
    check.same([first, second], lambda s: s.lines_from("ready-000000"))

    for node in cluster.nodes:
        test_cable(cluster, node)

    stream = cluster.stream(2, "words", "load", lines_per_s=500)
    stream.more()
    old = cluster.signal_dataplane(1, signal.SIGKILL)
    wait_until("the data plane is started again", lambda: cluster.dataplane_pid(1) not in (0, old))
    cluster.wait_whole()
    had = len(first.messages())
    wait_until("n1's subscriber hears the stream again", lambda: len(first.messages()) > had + 100)
    stream.finish()
    last = cluster.publish(1, "words", numbered("last", 200))
    last.finish()
    for subscriber in (first, second):
        subscriber.wait_for(last.sent[-1])
        check.no_duplicates(subscriber)
        check.complete(subscriber, last)
    check.complete(second, *publishers, stream, last)
    again, whole = first.messages(), second.messages()
    same = check.first_difference(list(reversed(again)), list(reversed(whole)))
    assert same > len(last.sent) + 100, f"only {same} messages after the return"


sandbox.run(test, limit_s=150)
