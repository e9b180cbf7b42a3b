#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "ipc/shm/control_layout.h"

namespace phalanx::shm {

/// Appends one message; false when it does not fit. Producer only.
[[nodiscard]] bool ring_push(ControlRing& ring, std::span<const std::byte> message) noexcept;

/// Moves the oldest message into `out`; false when there is none. Consumer only. A ring that holds
/// nonsense (a producer that went mad) is emptied.
[[nodiscard]] bool ring_pop(ControlRing& ring, std::vector<std::byte>& out);

[[nodiscard]] bool ring_empty(const ControlRing& ring) noexcept;

/// Consumer: "wake me from now on". True when something waits already: do not sleep.
[[nodiscard]] bool ring_arm(ControlRing& ring) noexcept;
void ring_disarm(ControlRing& ring) noexcept;

/// Producer, after pushing: true when the consumer sleeps and is to be woken, once for each arm.
[[nodiscard]] bool ring_take_wake(ControlRing& ring) noexcept;

}  // namespace phalanx::shm
