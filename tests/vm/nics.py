"""What tests over DPDK's devices share."""

import glob
import os
import pathlib
import shutil
import subprocess

ADDRESSES = os.environ.get("PCI_ADDRS", "").split()
# The buses and the memory pools, besides the drivers that a test names.
ALWAYS = ("bus_pci", "bus_vdev", "mempool_ring")


def few_drivers(*names):
    """DPDK loads every driver it finds, a hundred of them: seconds on an emulated processor."""
    for folder in glob.glob("/usr/lib/*/dpdk/pmds-*"):
        kept = pathlib.Path("/run/drivers")
        kept.mkdir(exist_ok=True)
        for name in ALWAYS + names:
            for library in glob.glob(f"{folder}/librte_{name}.so*"):
                shutil.copy(library, kept, follow_symlinks=False)
        subprocess.run(["mount", "--bind", str(kept), folder], check=True)
