#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controlplane/cli/demo/huge_pages.h"
#include "controlplane/cli/demo/options.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// How the demo's frames travel.
struct DemoTransport {
  std::string port;   ///< transport.port of DPDK; empty: UDP.
  std::string table;  ///< The configuration's [transport]; empty: its defaults.
  std::string told;   ///< Which, and why, for people.
  std::optional<HugePages> pages;
  std::vector<std::string> addresses;  ///< Of the RDMA port; empty: no verbs.

  bool is_shm = false;

  [[nodiscard]] bool is_memif() const { return port == "memif"; }
  /// Frames never leave memory that the nodes share: no cable can be pulled.
  [[nodiscard]] bool has_no_cable() const { return is_memif() || is_shm; }
  /// DPDK owns the nodes' interfaces: the kernel needs others.
  [[nodiscard]] bool is_ethernet() const { return !port.empty() && !is_memif(); }
  /// The nodes share a port of this host.
  [[nodiscard]] bool is_verbs() const { return !addresses.empty(); }
  /// As the report names it: "udp", "shm", "dpdk:memif", "dpdk:af_packet", "verbs".
  [[nodiscard]] std::string name() const;
};

/// What --transport asks for: "udp", "shm", "dpdk" (memif), "ethernet" (af_packet), "verbs" (an
/// RDMA port that is up; tried with Soft-RoCE, whose packets find the way back to it), or "auto".
/// That takes DPDK's memif where this is root, the build has DPDK, and hugepages can be had; asked
/// for by name, what is missing is an error.
[[nodiscard]] Expected<DemoTransport, Error> choose_transport(const DemoOptions& options);

}  // namespace phalanx::cli
