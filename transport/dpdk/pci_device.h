#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::transport::dpdk {

/// What the kernel tells of a PCI device.
struct PciDevice {
  std::string address;       ///< "0000:3b:00.0"
  std::string device_class;  ///< "0x020000": Ethernet.
  std::string name;          ///< "8086:10d3", vendor and device.
  std::string driver;        ///< Empty: none.
  std::string group;         ///< Of the IOMMU, "12"; empty: there is no IOMMU.
  /// What shares the group and a kernel driver holds, "0000:3b:00.1 (i40e)".
  std::vector<std::string> held_with_it;
};

/// "3b:00.0,x=1" to "0000:3b:00.0,x=1": DPDK knows its ports by whole addresses.
[[nodiscard]] std::string with_domain(const std::string& port);

/// `port` is a PCI address as configured, maybe with parameters. Below `root` lie sys, dev and
/// proc.
[[nodiscard]] std::optional<PciDevice> read_pci_device(const std::string& port,
                                                       const std::filesystem::path& root = "/");

/// Whether DPDK can have the device, which is looked at before anything is started: it exists, is a
/// network device, is bound to vfio-pci (or to a kernel driver that DPDK works through), its IOMMU
/// group holds nothing of the kernel's, and no process has it. The error says what was read and the
/// command that mends it.
[[nodiscard]] Expected<void, Error> check_pci_device(const std::string& port,
                                                     const std::string& key,
                                                     const std::filesystem::path& root = "/");

/// The processes that have a file open, "phalanx-dataplane (pid 812)", as far as this one may see.
[[nodiscard]] std::string holders_of(const std::string& file, const std::filesystem::path& root);

}  // namespace phalanx::transport::dpdk
