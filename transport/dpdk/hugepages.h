#pragma once

#include <cstdint>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::transport::dpdk {

/// Whether `bytes` of memory can be had in hugepages now. The error says how many there are, how
/// many are needed, and the command.
[[nodiscard]] Expected<void, Error> check_hugepages(std::uint64_t bytes);

}  // namespace phalanx::transport::dpdk
