#pragma once

#include <cstdint>
#include <span>

#include "transport/transport.h"
#include "transport/wire/aead.h"

namespace phalanx::testing {

/// Whether the transport itself enters the kernel.
enum class Kernel : std::uint8_t { Untouched, Entered };

/// Fails the test when a worker's turn over these transports, a node each, allocates, locks or
/// enters the kernel (Entered: when the census overlooks that it does) in steady state: one view,
/// clients that send short and long messages and read without sleeping. Only turns with work count:
/// idling is the loop's business.
void turns_are_bare(std::span<transport::Transport* const> transports, wire::Cipher cipher,
                    Kernel kernel);

}  // namespace phalanx::testing
