#include "tests/sim/checkers/facts.h"

#include <algorithm>

#include "ipc/base/bytes.h"
#include "transport/sim/random.h"

namespace phalanx::sim {

using transport::mix64;

void Held::add(Position from, Position to) {
  if (to <= received) return;
  if (from > received) {
    above.push_back({from, to});
    return;
  }
  received = to;
  for (bool grew = true; grew && !above.empty();) {
    grew = false;
    for (std::size_t i = 0; i < above.size();) {
      if (above[i].from > received) {
        ++i;
        continue;
      }
      received = std::max(received, above[i].to);
      above[i] = above.back();
      above.pop_back();
      grew = true;
    }
  }
}

std::size_t ViewFacts::rank_of(Incarnation who) const noexcept {
  return static_cast<std::size_t>(std::find(incarnations.begin(), incarnations.end(), who) -
                                  incarnations.begin());
}

Reader::Cursor& Reader::cursor(Incarnation origin) {
  if (cursors.size() <= origin) cursors.resize(origin + 1);
  return cursors[origin];
}

ViewIndex Facts::find_view(const ViewId& id) const {
  if (id.is_none()) return 0;
  const auto at = view_index.find(id);
  return at == view_index.end() ? 0 : at->second;
}

Incarnation Facts::find_member(ViewIndex view, NodeId node) const noexcept {
  const ViewFacts& facts = views[view];
  for (std::size_t rank = 0; rank < facts.members.size(); ++rank) {
    if (facts.members[rank].node == node) return facts.incarnations[rank];
  }
  return kNobody;
}

std::string Facts::name(Incarnation who) const {
  if (who == kNobody) return "nobody";
  return "n" + std::to_string(incarnations[who].member.node) + "#" + std::to_string(who);
}

std::string Facts::name_view(ViewIndex view) const {
  return view == 0 ? "none" : to_string(views[view].id);
}

std::uint64_t fingerprint(const core::RecordHeader& header,
                          std::span<const std::byte> payload) noexcept {
  std::uint64_t h =
      mix64(header.stream_position + 0x1234567 + (static_cast<std::uint64_t>(header.kind) << 56) +
            (static_cast<std::uint64_t>(header.flags) << 48));
  h = mix64(h + header.group);
  h = mix64(h + ((static_cast<std::uint64_t>(header.origin) << 32) | header.client));
  h = mix64(h + header.payload_bytes);
  if (header.kind == core::RecordKind::GroupState) {  // No client's submission vouches for these.
    for (const std::byte b : payload)
      h = (h ^ std::to_integer<std::uint64_t>(b)) * 0x100000001B3ull;
  }
  return h;
}

}  // namespace phalanx::sim
