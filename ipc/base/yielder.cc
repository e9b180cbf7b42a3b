#include "ipc/base/yielder.h"

#include <sched.h>
#include <sys/resource.h>

namespace phalanx {

Yielder& Yielder::of_thread() noexcept {
  static constinit thread_local Yielder yielder;
  return yielder;
}

bool Yielder::yield() noexcept {
  sched_yield();
  if (--until_check_ == 0) {
    rusage usage{};
    (void)getrusage(RUSAGE_THREAD, &usage);
    // Not those of its own will, which are sleeps: others took the core, or were given it.
    check(static_cast<std::uint64_t>(usage.ru_nivcsw));
  }
  looks_left_ = alone_ ? looks_alone_ : 0;
  return true;
}

}  // namespace phalanx
