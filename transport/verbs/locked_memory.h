#pragma once

#include <cstdint>
#include <optional>

#include "ipc/base/error.h"

namespace phalanx::transport::verbs {

/// What is to be registered in one go. The kernel keeps it in memory, and counts it against
/// RLIMIT_MEMLOCK with all that this process registered before.
struct Registration {
  const char* what = "";
  std::uint64_t bytes = 0;
  const char* or_else = "";  ///< What else would mend it: a further part of the sentence.
};

/// How much all transports of this process have registered. Any thread.
void count_registered(std::uint64_t bytes) noexcept;
void count_released(std::uint64_t bytes) noexcept;

/// Refuses more than this process may lock, before the kernel does. Cold.
[[nodiscard]] std::optional<Error> check_lockable(const Registration& registration);

/// The kernel refused, with this errno: for lack of memory, or of what the adapter's own queues
/// need besides.
[[nodiscard]] Error registration_refused(const Registration& registration, int error);

}  // namespace phalanx::transport::verbs
