"""What stops a node is told with the place and the remedy, and exits as documented."""

import fcntl
import os
import pathlib
import re
import struct
import subprocess
import sys

from harness import sandbox
from harness.cluster import SLOW, Cluster, wait_until


def pretend(place, files):
    """Puts a file system of its own in the place of a part of /sys: path below it, contents."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    for name, text in files.items():
        path = pathlib.Path(place) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def pretend_nic(**links):
    """An Ethernet device at 0000:99:1f.7, with links like driver="i40e"."""
    device = pathlib.Path("/sys/bus/pci/devices/0000:99:1f.7")
    pretend("/sys/bus/pci/devices", {f"{device.name}/{name}": text for name, text in {
        "vendor": "0x8086", "device": "0x1572", "subsystem_vendor": "0x8086",
        "subsystem_device": "0x0001", "class": "0x020000", "numa_node": "-1", "max_vfs": "0",
        "resource": "0x0 0x0 0x0\n" * 7}.items()})
    for name, target in links.items():
        (device / name).symlink_to(f"../../somewhere/{target}")


def test_pci(cluster, over):
    if not os.path.isdir("/sys/bus/pci/devices"):
        return
    text = over("0000:99:1f.7", "--no-huge -m 64")
    pretend_nic(driver="i40e", iommu_group="7")
    cluster.refused(text, 2, "the driver i40e", "dpdk-devbind.py -b vfio-pci 0000:99:1f.7")
    pretend_nic()
    cluster.refused(text, 2, "no driver", "there is no IOMMU", "intel_iommu=on")


def test_hugepages(cluster, over):
    if not os.path.isdir("/sys/kernel/mm/hugepages"):
        return
    pretend("/sys/kernel/mm/hugepages", {
        "hugepages-2048kB/nr_hugepages": "5", "hugepages-2048kB/free_hugepages": "3",
        "hugepages-2048kB/resv_hugepages": "1"})
    cluster.refused(over("memif", ""), 2, "16 MiB in hugepages", "2 free of 5 of 2048 KiB",
                    "8 of 2 MiB are needed", "sysctl -w vm.nr_hugepages=13")


def test_dpdk():
    cluster = Cluster(nodes=2, start=False)

    def over(port, eal):
        return cluster.config_text(
            f'[transport]\nkind = "dpdk"\nport = "{port}"\neal = "{eal}"\n')

    cluster.refused(over("memif", "-l 0"), 2, "-l", "worker.cpu", "remedy")
    cluster.refused(over("memif", "--no-huge --no-such-word"), 2, "--no-such-word", "remedy")
    cluster.refused(over("0000:99:1f.7", "--no-huge -m 64"), 2, "0000:99:1f.7", "lspci")
    cluster.refused(over("net_af_packet0,iface=no0", "--no-huge -m 64"), 2, "no0", "remedy")
    mtu = over("net_af_packet0,iface=data", "--no-huge -m 64").replace(
        "[transport]", '[transport]\nmtu = "9000B"')
    cluster.refused(mtu, 2, "9000", "1500", "ip link set data mtu 9000")
    if SLOW == 1:  # Pools under a sanitizer have no caches, and room in as little.
        cluster.refused(over("net_null0", "--no-huge -m 1"), 2, "memory", "--no-huge -m")
    test_pci(cluster, over)
    test_hugepages(cluster, over)
    assert not list(pathlib.Path("/run/phalanx").glob("memif*"))
    assert not pathlib.Path("/run/dpdk").exists()


def test_shm():
    """What is in the way at the place where the nodes of a host meet."""
    cluster = Cluster(nodes=2, start=False)
    text = cluster.config_text('[transport]\nkind = "shm"\n')
    place = pathlib.Path("/run/phalanx/shm.test")
    place.mkdir(parents=True)
    os.chmod(place, 0o777)
    cluster.refused(text, 5, str(place), "others may write to it", "node.runtime_directory")
    os.chmod(place, 0o700)
    lived = (place / "alive").open("w")
    # Node 1 holds byte 1 of it: struct flock is two shorts, two longs, a pid.
    fcntl.fcntl(lived, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 1, 1, 0))
    cluster.refused(text, 2, "another process of this host is node 1", "node.id")
    lived.close()
    cluster.start(1)
    cluster.start(2)
    cluster.wait_whole()


def test():
    for kind, tried in (("dpdk", test_dpdk), ("shm", test_shm)):
        if kind in sys.argv:
            tried()
            return
    cluster = Cluster(nodes=2, start=False)
    good = cluster.config_text()

    cluster.refused(good.replace("dead_after", "dead_aftre"), 2, "bad.toml:", "dead_after")
    cluster.refused(re.sub('dead_after = "([0-9]+)ms"', r'dead_after = "\1"', good), 2,
            "bad.toml:")
    cluster.refused(good.replace("id = 2", "id = 1"), 2, "bad.toml:", "1")
    cluster.refused(good.replace('name = "n1"', 'name = "other"'), 2, "n1")
    cluster.refused(good.replace("10.77.0.1", "10.99.0.1"), 2, "10.99.0.1", "remedy")
    cluster.refused(good + "[worker]\ncpu = 1023\n", 2, "worker.cpu = 1023", "the cores 0", "-1")

    os.chmod(cluster.key, 0o644)
    cluster.refused(good, 2, str(cluster.key), "chmod")
    os.chmod(cluster.key, 0o600)

    small = cluster.directory / "full"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(small)], check=True)
    (small / "ballast").write_bytes(b"x" * 4096)
    cluster.refused(good.replace(f"{cluster.directory}/state", f"{small}/state"), 1, str(small))

    small.joinpath("ballast").unlink()

    # A taken port may be given back, so it is told and tried again.
    script = ("import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
              f"s.bind(('{cluster.network.host(1)}', 5405)); print('bound', flush=True); "
              "time.sleep(60)")
    with subprocess.Popen(["nsenter", "--net=/run/netns/n1", sys.executable, "-c", script],
                          stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        cluster.start(1)
        cluster.start(2)
        log = cluster.directory / "n1.log"
        endpoint = cluster.network.endpoint(1)
        wait_until("the port is named", lambda: f"UDP port {endpoint}" in log.read_text())
        assert "remedy" in log.read_text()
        holder.kill()
    cluster.wait_whole()


sandbox.run(test)
