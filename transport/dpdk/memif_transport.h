#pragma once

#include <memory>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/dpdk/memif_mesh.h"
#include "transport/transport.h"

namespace phalanx::transport::dpdk {

/// Nodes of one host over shared memory: a frame is copied into each peer's ring as it is, without
/// headers, since a link has two ends only. EAL must run.
[[nodiscard]] Expected<std::unique_ptr<Transport>, Error> open_memif(const MemifOptions& options);

}  // namespace phalanx::transport::dpdk
