"""Network namespaces n1, n2 ... joined by bridges: "data", "mgmt" (management), and where
it is asked for "second", of the data path as well."""

import subprocess


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class Network:
    """The wires between the nodes. Cutting them is done with links and with packet filters."""

    def __init__(self, count, ipv6=False, second=False):
        self.ipv6 = ipv6
        self.wires = ("data", "mgmt") + (("second",) if second else ())
        command("ip", "link", "set", "lo", "up")
        for wire in self.wires:
            command("ip", "link", "add", wire, "type", "bridge", "forward_delay", "0")
            command("ip", "link", "set", wire, "up")
        for node in range(1, count + 1):
            self._add_node(node)
        command("nft", "add table bridge faults")
        command("nft", "add chain bridge faults forward { type filter hook forward priority 0; }")

    def _add_node(self, node):
        name = f"n{node}"
        command("ip", "netns", "add", name)
        command("ip", "-n", name, "link", "set", "lo", "up")
        for wire in self.wires:
            port = f"{wire}{node}"
            command("ip", "link", "add", port, "type", "veth", "peer", "name", wire, "netns", name)
            command("ip", "link", "set", port, "master", wire, "up")
            address = f"{self.host(node, wire)}/{64 if self.ipv6 else 24}"
            # No duplicate address detection: the address must be usable at once.
            nodad = ["nodad"] if self.ipv6 else []
            command("ip", "-n", name, "addr", "add", address, "dev", wire, *nodad)
            command("ip", "-n", name, "link", "set", wire, "up")

    @staticmethod
    def snoop():
        """The data bridge passes a group only to ports that asked for it, from now on."""
        command("ip", "link", "set", "data", "type", "bridge", "mcast_snooping", "1",
                "mcast_query_response_interval", "10", "mcast_querier", "1")

    @staticmethod
    def ports_in(group):
        """How many ports of the data bridge have asked for a group."""
        return command("bridge", "mdb", "show", "dev", "data").count(f"grp {group} ")

    def host(self, node, wire="data"):
        subnet = {"data": 0, "mgmt": 1, "second": 2}[wire]
        return f"fd77:{subnet}::{node}" if self.ipv6 else f"10.77.{subnet}.{node}"

    def endpoint(self, node, wire="data"):
        host, port = self.host(node, wire), 5406 if wire == "mgmt" else 5405
        return f"[{host}]:{port}" if self.ipv6 else f"{host}:{port}"

    def link(self, node, state, wires=("data", "mgmt")):
        """Pulls (state "down") or plugs ("up") a node's cables, as seen by the node itself."""
        for wire in wires:
            command("ip", "-n", f"n{node}", "link", "set", wire, state)
            if state == "up" and self.ipv6:  # The kernel forgot the addresses of the link.
                address = f"{self.host(node, wire)}/64"
                command("ip", "-n", f"n{node}", "addr", "replace", address, "dev", wire, "nodad")

    @staticmethod
    def port(node, state, wire="data"):
        """The other end of a cable: the node itself sees its carrier go and come."""
        command("ip", "link", "set", f"{wire}{node}", state)

    @staticmethod
    def _drop(rule):
        """In the bridge: whoever owns the port at the end of the cable, the kernel or DPDK."""
        command("nft", f"add rule bridge faults forward {rule} drop")

    def lose(self, node, percent):
        """Lets a node lose some of what it would receive for its data path."""
        self._drop(f"oifname data{node} numgen random mod 100 < {percent}")

    def cut(self, from_node, to_node, wires=None):
        """One way: to_node hears from_node no more, on no wire."""
        for wire in wires or self.wires:
            self._drop(f"iifname {wire}{from_node} oifname {wire}{to_node}")

    def split(self, left, right):
        for a in left:
            for b in right:
                self.cut(a, b)
                self.cut(b, a)

    @staticmethod
    def heal():
        """Ends every loss and cut."""
        command("nft", "flush chain bridge faults forward")
