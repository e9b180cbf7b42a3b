#include "transport/verbs/lent_memory.h"

#include <algorithm>
#include <cerrno>
#include <functional>

#include "ipc/base/assert.h"
#include "transport/verbs/locked_memory.h"

namespace phalanx::transport::verbs {

Expected<void, Error> LentMemory::take(std::span<const std::span<const std::byte>> memory) {
  PHX_CHECK(pieces_.empty());
  Registration all{.what = "logs and streams to send from",
                   .or_else =
                       "; or set a smaller lane.log on all nodes, and what it has to hold: "
                       "cluster.max_message, lane.window, lane.submit_window"};
  for (const std::span<const std::byte> bytes : memory) all.bytes += bytes.size();
  if (auto error = check_lockable(all)) return fail(std::move(*error));
  for (const std::span<const std::byte> bytes : memory) {
    // The adapter may not write: const is kept.
    auto* at = const_cast<std::byte*>(bytes.data());
    ibv_mr* made = calls::reg_mr(pd_, at, bytes.size(), calls::kReadOnly);
    if (made == nullptr) {
      const int error = errno;
      give_back();
      return fail(registration_refused(all, error));
    }
    count_registered(bytes.size());
    pieces_.push_back({bytes.data(), bytes.data() + bytes.size(), made, made->lkey});
  }
  std::ranges::sort(pieces_, std::less<>(), &Piece::begin);
  return {};
}

void LentMemory::find(std::span<const std::byte> bytes) noexcept {
  const auto after = std::ranges::upper_bound(pieces_, bytes.data(), std::less<>(), &Piece::begin);
  PHX_CHECK(after != pieces_.begin() && (after - 1)->holds(bytes));
  found_ = *(after - 1);
}

void LentMemory::give_back() noexcept {
  for (const Piece& piece : pieces_) {
    calls::dereg_mr(piece.registration);
    count_released(static_cast<std::uint64_t>(piece.end - piece.begin));
  }
  pieces_.clear();
}

LentMemory::~LentMemory() { give_back(); }

}  // namespace phalanx::transport::verbs
