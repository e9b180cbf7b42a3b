#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::transport::dpdk {

/// What the configuration says about DPDK's environment layer (EAL).
struct EalOptions {
  std::string instance;  ///< Keeps the files of two instances apart, should any be made.
  std::optional<std::uint32_t> cpu;  ///< The worker's core: memory comes from its NUMA node.
  std::vector<std::string> pci;      ///< The only PCI devices that may be touched.
  std::string extra;                 ///< transport.eal: words between spaces.
};

/// The command line that EAL gets, without a program's name.
struct EalArguments {
  std::vector<std::string> words;
  bool hugepages = true;  ///< False when the operator asked for --no-huge.
};

/// Ours first, then the operator's. Refuses those of the operator's that would change what ours
/// say.
[[nodiscard]] Expected<EalArguments, Error> eal_arguments(const EalOptions& options);

/// "0000:3b:00.0", "3b:00.0": a PCI address as it would be configured, maybe with parameters behind
/// a comma.
[[nodiscard]] bool is_pci_address(const std::string& port) noexcept;

}  // namespace phalanx::transport::dpdk
