#include "ipc/base/scheduling.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace phalanx {
namespace {

/// include/uapi/linux/sched/types.h, its first version; glibc has it only from 2.41 on.
struct SchedAttr {
  std::uint32_t size = sizeof(SchedAttr);
  std::uint32_t policy = 0;  // SCHED_OTHER
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};
static_assert(sizeof(SchedAttr) == 48);

/// The shortest that the kernel takes.
constexpr TimeNs kTurn = 100 * kMicrosecond;

}  // namespace

void ask_for_short_turns() noexcept {
  if (sched_getscheduler(0) != SCHED_OTHER) return;  // The operator chose something else.
  SchedAttr attr;
  attr.nice = getpriority(PRIO_PROCESS, 0);  // It sets both; -1 is a value, never an error here.
  attr.runtime = kTurn;
  (void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

}  // namespace phalanx
