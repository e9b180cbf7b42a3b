#pragma once

namespace phalanx::security {

/// Keeps the keys in this process's memory out of core dumps and away from debuggers of the same
/// user, and keeps it from gaining rights by exec. Call once, first thing in main(). Never fails:
/// what the kernel refuses is simply not there.
void harden_process() noexcept;

}  // namespace phalanx::security
