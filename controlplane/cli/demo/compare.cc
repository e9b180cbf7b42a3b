#include "controlplane/cli/demo/compare.h"

#include <algorithm>

namespace phalanx::cli {
namespace {

bool same_point(const Checkpoint& a, const Checkpoint& b) {
  return a.kind == b.kind && a.first == b.first && a.second == b.second;
}

const Checkpoint* find(std::span<const Checkpoint> in, const Checkpoint& point) {
  const auto found =
      std::ranges::find_if(in, [&](const Checkpoint& c) { return same_point(c, point); });
  return found == in.end() ? nullptr : &*found;
}

/// The point of `a` that is b[i]. A node that restarts counts its clients from 1 again, so that one
/// name may stand for several joins: they are told apart by how many follow.
const Checkpoint* counterpart(std::span<const Checkpoint> a, std::span<const Checkpoint> b,
                              std::size_t i) {
  const auto is_point = [&](const Checkpoint& c) { return same_point(c, b[i]); };
  auto later = std::ranges::count_if(b.subspan(i + 1), is_point);
  for (std::size_t k = a.size(); k-- > 0;) {
    if (is_point(a[k]) && later-- == 0) return &a[k];
  }
  return nullptr;
}

/// Did `a` go through the views of `rest` after `start`, too? If not, the two were in different
/// views at `start`, and have come together later.
bool together(const Checkpoint& start, std::span<const Checkpoint> a,
              std::span<const Checkpoint> rest) {
  return std::ranges::all_of(rest, [&](const Checkpoint& point) {
    if (point.kind != Checkpoint::Kind::View) return true;
    const Checkpoint* mine = find(a, point);
    return mine != nullptr && mine->order.items > start.order.items;
  });
}

}  // namespace

Sequence sequence_of(const ClientSlot& slot) {
  const std::uint32_t count = slot.checkpoint_count.load(std::memory_order_acquire);
  const std::uint64_t hash = slot.hash.load(std::memory_order_acquire);
  return {.order = {.items = slot.items.load(std::memory_order_relaxed), .hash = hash},
          .checkpoints = {slot.checkpoints.data(), count}};
}

Comparison compare(const Sequence& a, const Sequence& b, std::size_t from) {
  for (std::size_t i = from; i < b.checkpoints.size(); ++i) {
    const Checkpoint* mine = counterpart(a.checkpoints, b.checkpoints, i);
    if (mine == nullptr || !together(*mine, a.checkpoints, b.checkpoints.subspan(i + 1))) continue;
    const OrderHash rest_a = a.order.since(mine->order);
    const OrderHash rest_b = b.order.since(b.checkpoints[i].order);
    Comparison result{
        .agree = rest_a == rest_b,
        .items = rest_b.items,
        .from_the_start = i == from || mine == a.checkpoints.data(),
    };
    if (rest_a.items != rest_b.items) {
      result.why = std::to_string(rest_a.items) + " events against " + std::to_string(rest_b.items);
    } else if (!result.agree) {
      result.why = "the same number of events, in another order or with other content";
    }
    return result;
  }
  return {.why = "no view or join that both have seen"};
}

}  // namespace phalanx::cli
