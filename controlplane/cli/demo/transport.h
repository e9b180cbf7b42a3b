#pragma once

#include <optional>
#include <string>

#include "controlplane/cli/demo/huge_pages.h"
#include "controlplane/cli/demo/options.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// How the demo's frames travel.
struct DemoTransport {
  bool memif = false;  ///< DPDK; otherwise UDP.
  std::string told;    ///< Which, and why, for people.
  std::optional<HugePages> pages;

  /// As the report names it: "udp", "dpdk:memif".
  [[nodiscard]] std::string name() const { return memif ? "dpdk:memif" : "udp"; }
};

/// What --transport asks for. "auto" takes DPDK's memif where this is root, the build has DPDK, and
/// hugepages can be had; asked for by name, what is missing is an error.
[[nodiscard]] Expected<DemoTransport, Error> choose_transport(const DemoOptions& options);

}  // namespace phalanx::cli
