#pragma once

#include <cstdint>

namespace phalanx::testing {

/// What a thread asked of the C library and of the kernel.
struct Census {
  std::uint64_t allocations = 0;   ///< And frees.
  std::uint64_t locks = 0;         ///< Of pthreads: mutexes, read-write locks, spin locks.
  std::uint64_t system_calls = 0;  ///< 0 or 1: what follows the first is not seen.
  long system_call = -1;           ///< The number of that one.
};

/// Why nothing can be counted in this process; nullptr: it can. Needs a kernel that hands system
/// calls over to the program (Linux 5.11), and a build whose malloc() nobody else has taken.
[[nodiscard]] const char* why_no_census() noexcept;

/// Counts what the calling thread does from here to end(). One at a time a thread. DPDK's spin
/// locks are instructions in the middle of its code: they are not seen.
class Count {
 public:
  Count() noexcept;
  Count(const Count&) = delete;
  Count& operator=(const Count&) = delete;
  ~Count() { (void)end(); }
  Census end() noexcept;
};

}  // namespace phalanx::testing
