#include <algorithm>
#include <vector>

#include "dataplane/core/group_state.h"
#include "dataplane/core/view_record.h"
#include "ipc/base/assert.h"

// First byte: the kind of record. The rest: its payload. What is taken encodes to the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx::core;
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  std::vector<std::byte> again;
  if (data[0] % 3 == 0) {
    std::vector<Membership> memberships;
    const bool taken = decode_group_state(bytes, [&](const Membership& m) {
      PHX_CHECK(!m.name.empty() && m.name.size() <= phalanx::kGroupNameBytesMax);
      memberships.push_back(m);
    });
    if (!taken) return 0;
    again.resize(group_state_bytes(memberships));
    encode_group_state(memberships, again);
  } else if (data[0] % 3 == 1) {
    const auto record = decode_view_record(bytes);
    if (!record) return 0;
    again.resize(view_record_bytes(record->members.size()));
    encode_view_record(*record, again);
    if (std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) return 0;
    // Flags that are not 0 or 1 are the one thing that it does not keep; it never leaves a node.
    const auto canonical = decode_view_record(again);
    PHX_CHECK(canonical && canonical->view == record->view &&
              canonical->members.size() == record->members.size());
    return 0;
  } else {
    Membership join;
    if (!decode_join(bytes, join)) return 0;
    PHX_CHECK(!join.name.empty() && join.name.size() + 4 == bytes.size());
    return 0;
  }
  PHX_CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
  return 0;
}
