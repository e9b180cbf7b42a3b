#pragma once

#include <cstdint>
#include <thread>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"

namespace phalanx::dataplane {

/// A thread that does nothing but die with the process. When a process is killed none of its
/// threads runs its program again, but it is dead only when the last of them has been given the
/// processor to end itself and to take its memory apart: milliseconds, on a busy host many. A
/// thread that sleeps is woken and gone at once, and who watches it knows first.
class Witness {
 public:
  [[nodiscard]] static Expected<Witness, Error> start();
  Witness(Witness&&) noexcept = default;
  Witness& operator=(Witness&&) = delete;
  ~Witness();

  /// The kernel's number of the thread.
  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }

 private:
  explicit Witness(Fd end) : end_(std::move(end)) {}

  Fd end_;  ///< What the thread waits for.
  std::thread thread_;
  std::uint32_t id_ = 0;
};

}  // namespace phalanx::dataplane
