"""Namespaces n1, n2 ... joined by one bridge, in a network namespace of our own, for corosync."""

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def bridge_of(pid):
    """Path of the network namespace, of those that a process holds open, that has a bridge; None:
    there is none."""
    for entry in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{entry}"
        try:
            if not os.readlink(path).startswith("net:"):
                continue
        except OSError:
            continue
        if "bridge" in command("nsenter", f"--net={path}", "ip", "-o", "link", "show", "type",
                               "bridge"):
            return path
    return None


def lose(network, percent):
    """Drops that share of what crosses the bridges of a namespace, packet by packet and for each
    receiver by itself; 0: nothing."""
    rules = "add table bridge loss\ndelete table bridge loss\n"
    if percent:
        rules += "add table bridge loss\n"
        rules += ("add chain bridge loss cross { type filter hook forward priority 0; }\n"
                  "add rule bridge loss cross numgen random mod 10000 < "
                  f"{round(100 * percent)} drop\n")
    subprocess.run(["nsenter", f"--net={network}", "nft", "-f", "-"], input=rules, text=True,
                   check=True)


class Arena:
    """The veth pairs and the bridge are gone when this process is: nothing else holds them but the
    processes in them, and those are ended first."""

    def __init__(self, nodes, mtu=1500):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.networks = [self._new() for _ in range(nodes + 1)]
        self._run(0, "link", "add", "wire", "mtu", str(mtu), "type", "bridge", "forward_delay", "0")
        self._run(0, "link", "set", "wire", "up")
        for node in range(1, nodes + 1):
            self._run(0, "link", "add", f"port{node}", "mtu", str(mtu), "type", "veth", "peer",
                      "name", "data", "mtu", str(mtu), "netns",
                      f"/proc/{os.getpid()}/fd/{self.networks[node]}")
            self._run(0, "link", "set", f"port{node}", "master", "wire", "up")
            self._run(node, "link", "set", "lo", "up")
            self._run(node, "address", "add", f"{self.host(node)}/24", "dev", "data")
            self._run(node, "link", "set", "data", "up")
        self._spare_ip_rules()

    @staticmethod
    def host(node):
        return f"10.76.0.{node}"

    def path(self, node):
        """For nsenter --net=."""
        return f"/proc/{os.getpid()}/fd/{self.networks[node]}"

    def close(self):
        for network in self.networks:
            os.close(network)
        os.close(self.home)

    def _new(self):
        if self.libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "cannot make a network namespace")
        made = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._enter(self.home)
        return made

    def _enter(self, network):
        if self.libc.setns(network, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter a network namespace")

    def _run(self, node, *words):
        command("nsenter", f"--net={self.path(node)}", "ip", *words)

    def _spare_ip_rules(self):
        """As in our own demo: a bridge need not run its packets through (no) rules of IP."""
        self._enter(self.networks[0])
        for rules in ("iptables", "ip6tables", "arptables"):
            try:
                with open(f"/proc/sys/net/bridge/bridge-nf-call-{rules}", "w",
                          encoding="ascii") as file:
                    file.write("0")
            except OSError:
                pass
        self._enter(self.home)
