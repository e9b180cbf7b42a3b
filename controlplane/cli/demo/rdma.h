#pragma once

#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// The IPv4 addresses that ports of this host's RDMA devices carry as RoCE v2 and that are up:
/// those of the first device that has any. `root` is where the kernel lists devices. Cold.
[[nodiscard]] Expected<std::vector<std::string>, Error> rdma_addresses(
    const std::string& root = "/sys/class/infiniband");

}  // namespace phalanx::cli
