#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace phalanx::config {

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate closest to `word`, or "" when none is close enough to be what was meant.
[[nodiscard]] std::string closest(std::string_view word, std::span<const std::string> candidates);

}  // namespace phalanx::config
