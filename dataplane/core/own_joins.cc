#include "dataplane/core/own_joins.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace phalanx::core {
namespace {

template <class Entry>
bool before(const Entry& a, GroupId group, ClientId client) {
  return std::tie(a.group, a.client) < std::tie(group, client);
}

}  // namespace

void OwnJoins::on_record(const RecordHeader& header, std::span<const std::byte> payload) {
  auto at = std::lower_bound(
      entries_.begin(), entries_.end(), header,
      [](const Entry& e, const RecordHeader& h) { return before(e, h.group, h.client); });
  const bool found =
      at != entries_.end() && at->group == header.group && at->client == header.client;
  if (header.kind == RecordKind::Leave) {
    if (found) entries_.erase(at);
    return;
  }
  Membership joined;
  if (header.kind != RecordKind::Join || found || !decode_join(payload, joined)) return;
  entries_.insert(at, {header.group, header.client, joined.process, std::string(joined.name)});
}

std::size_t OwnJoins::state_bytes() const noexcept {
  std::size_t bytes = group_state_bytes({});
  for (const Entry& e : entries_) {
    const Membership m{.name = e.name};
    bytes += group_state_bytes({&m, 1}) - group_state_bytes({});
  }
  return bytes;
}

bool OwnJoins::decode(std::span<const std::byte> in) {
  entries_.clear();
  const bool whole = decode_group_state(in, [this](const Membership& m) {
    entries_.push_back({m.group, m.client, m.process, std::string(m.name)});
  });
  return whole && std::ranges::is_sorted(entries_, {}, [](const Entry& entry) {
           return std::pair(entry.group, entry.client);
         });
}

void OwnJoins::encode(std::span<std::byte> out) const noexcept {
  std::byte* at = out.data();
  at += encode_group_count(entries_.size(), at);
  for (const Entry& e : entries_) {
    at += encode_membership({e.group, e.client, e.process, e.name}, at);
  }
}

}  // namespace phalanx::core
