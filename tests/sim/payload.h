#pragma once

#include <cstddef>
#include <span>

#include "tests/sim/checkers/facts.h"

namespace phalanx::sim {

/// Writes the bytes that belong to a submission: application messages are filled from its content
/// seed, joins and leaves hold what the record format asks for.
void fill_payload(const Submission& submission, std::span<std::byte> out) noexcept;

[[nodiscard]] bool payload_matches(const Submission& submission,
                                   std::span<const std::byte> payload) noexcept;

/// Bytes of the payload of a Join of this group.
[[nodiscard]] std::size_t join_payload_bytes(GroupId group) noexcept;
/// A group's simulated id, from its number.
[[nodiscard]] GroupId group_of(std::uint32_t number) noexcept;

}  // namespace phalanx::sim
