#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace phalanx::dataplane {

/// The NUMA node that a core's memory is to come from. None where all memory is on one node, where
/// the core's own has none, and where the kernel does not tell. Cold.
[[nodiscard]] std::optional<std::uint32_t> memory_node_of(
    std::uint32_t cpu, const std::filesystem::path& system = "/sys/devices/system");

}  // namespace phalanx::dataplane
