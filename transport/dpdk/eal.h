#pragma once

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/dpdk/eal_arguments.h"

namespace phalanx::transport::dpdk {

/// Starts DPDK's environment layer. It can be started once in a process and never stops: a second
/// call finds it running and asks for nothing more. Leaves the calling thread's cores as they were.
/// What EAL printed becomes part of the error.
[[nodiscard]] Expected<void, Error> start_eal(const EalOptions& options);

/// Whether EAL runs on hugepages; only after start_eal().
[[nodiscard]] bool has_hugepages() noexcept;

/// Whether devices interrupt by MSI-X, which is what EAL takes unless told --vfio-intr.
[[nodiscard]] bool uses_msix() noexcept;

/// While it lives, drivers print their errors, which start_eal() has silenced otherwise. Cold.
class DriversSpeak {
 public:
  DriversSpeak() noexcept;
  DriversSpeak(const DriversSpeak&) = delete;
  ~DriversSpeak();
};

/// Lets DPDK's caches know the calling thread. Once in each thread that sends or receives.
void register_thread() noexcept;

}  // namespace phalanx::transport::dpdk
