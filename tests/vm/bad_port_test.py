"""A node that cannot have its PCI device is refused at once, told why and how that is mended.

Each time with the exit code of a wrong configuration, and with nothing left behind: afterwards the
same device carries a node. With argument "unguarded" the machine has no IOMMU.
"""

import os
import pathlib
import subprocess
import sys

from harness import sandbox
from harness.cluster import Cluster, wait_until
from nics import ADDRESSES, few_drivers

PCI = pathlib.Path("/sys/bus/pci")
PAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")


def bind(address, driver):
    """Takes the device from its driver and gives it to another; "": to none."""
    device = PCI / "devices" / address
    if (device / "driver").exists():
        (device / "driver" / "unbind").write_text(address)
    (device / "driver_override").write_text(f"{driver or 'none'}\n")
    try:
        (PCI / "drivers_probe").write_text(address)
    except OSError:
        assert driver in ("", "vfio-pci"), driver  # It refuses a device without an IOMMU.


def over(cluster, port, mtu=1500, eal=""):
    return cluster.config_text(f'[transport]\nkind = "dpdk"\nport = "{port}"\n'
                               f'mtu = "{mtu}B"\neal = "{eal}"\n')


def nothing_left(pages):
    """Of a data plane that did not start: no file, no page, no process, no socket."""
    assert not os.listdir("/dev/hugepages"), os.listdir("/dev/hugepages")
    assert not pathlib.Path("/run/dpdk").exists()
    assert int((PAGES / "free_hugepages").read_text()) == pages
    left = [p for p in pathlib.Path("/run/phalanx").rglob("*") if p.is_socket()]
    assert not left, left


def test_unguarded():
    cluster = Cluster(nodes=2, start=False)
    pages = int((PAGES / "free_hugepages").read_text())
    nic = ADDRESSES[0]

    cluster.refused(over(cluster, nic), 2, "bound to no driver, and there is no IOMMU",
                    "intel_iommu=on", f"dpdk-devbind.py -b vfio-pci {nic}")
    bind(nic, "uio_pci_generic")
    cluster.refused(over(cluster, nic), 2, "uio_pci_generic", "there is no IOMMU",
                    "intel_iommu=on")
    nothing_left(pages)


def test():
    few_drivers("net_e1000", "net_virtio")
    cluster = Cluster(nodes=2, start=False)
    pages = int((PAGES / "free_hugepages").read_text())
    nic, _, short = ADDRESSES

    cluster.refused(over(cluster, "0000:00:1d.7"), 2, "there is no PCI device 0000:00:1d.7",
                    "lspci")
    cluster.refused(over(cluster, "00:1f.2"), 2, "no network device", "class is 0x0106")
    cluster.refused(over(cluster, nic, eal=f"-a {nic}"), 2, "-a", "transport.port", "remedy")

    bind(nic, "e1000e")
    cluster.refused(over(cluster, nic), 2, "the driver e1000e has it",
                    f"dpdk-devbind.py -b vfio-pci {nic}")
    bind(nic, "")
    cluster.refused(over(cluster, nic), 2, "bound to no driver",
                    f"dpdk-devbind.py -b vfio-pci {nic}")
    bind(nic, "vfio-pci")

    group = os.readlink(PCI / "devices" / nic / "iommu_group").rsplit("/", 1)[1]
    with open(f"/dev/vfio/{group}", "r+b", buffering=0):
        cluster.refused(over(cluster, nic), 2, "another process has it: ",
                        f"(pid {os.getpid()})")
    nothing_left(pages)

    (PAGES / "nr_hugepages").write_text("5")
    cluster.refused(over(cluster, nic), 2, "5 free of 5 of 2048 KiB", "8 of 2 MiB are needed",
                    "sysctl -w vm.nr_hugepages=13")
    (PAGES / "nr_hugepages").write_text("8")
    cluster.refused(over(cluster, nic), 2, "free of 8 of 2048 KiB", "of 2 MiB are needed",
                    "sysctl -w vm.nr_hugepages=")
    (PAGES / "nr_hugepages").write_text(str(pages))
    nothing_left(pages)

    cluster.refused(over(cluster, short, mtu=9000), 2, "transport.mtu is 9000", "is 1500")
    nothing_left(pages)

    config = cluster.directory / "good.toml"
    config.write_text(over(cluster, nic.removeprefix("0000:")), encoding="utf-8")
    cluster.start(1, config)
    cluster.wait_degraded([1])  # The other node is not there.
    cluster.controlplanes[1].terminate()
    assert cluster.controlplanes[1].wait(60) == 0
    wait_until("the data plane has ended", lambda: not cluster.dataplane_pid(1))
    nothing_left(pages)


sandbox.run(test_unguarded if "unguarded" in sys.argv else test, limit_s=150)
