#pragma once

#include "ipc/base/time_ns.h"

namespace phalanx {

/// Asks the kernel to run the calling thread, and those it starts later, in short turns: it is then
/// put on the processor soon after it has something to do, also beside programs that compute, and
/// loses little when it yields. Its share of the processor stays what it was; no right is needed.
/// Linux takes it from 6.12 on (EEVDF's custom slices, 0.1 to 100 ms) and ignores it before. A
/// thread of another policy than SCHED_OTHER is left as it is.
void ask_for_short_turns() noexcept;

}  // namespace phalanx
