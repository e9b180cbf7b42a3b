#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "controlplane/cli/demo/board.h"

namespace phalanx::cli {

/// A client's sequence as its slot tells it, copied while nothing was under way.
struct Sequence {
  OrderHash order;
  std::span<const Checkpoint> checkpoints;
};

[[nodiscard]] Sequence sequence_of(const ClientSlot& slot);

struct Comparison {
  bool agree = false;
  std::string why;              ///< When they do not.
  std::uint64_t items = 0;      ///< Events compared: messages and views.
  bool from_the_start = false;  ///< The part compared is all since the later of the two came.
};

/// Do two clients have the same sequence, from the first point on at which they were together, to
/// the end? `from` skips what `b` had before its checkpoint of that number (a client that attached
/// anew).
/// Where the two were in different views meanwhile, that is not from the start.
[[nodiscard]] Comparison compare(const Sequence& a, const Sequence& b, std::size_t from = 0);

}  // namespace phalanx::cli
