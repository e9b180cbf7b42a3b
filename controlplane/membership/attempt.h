#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ipc/base/ids.h"
#include "transport/wire/messages.h"

namespace phalanx::membership {

/// The one attempt that this node promised last. It is kept after it failed, until a higher one is
/// promised: a member that did install it may still turn up.
struct Attempt {
  wire::Prepare prepare;    ///< Id, key id, members.
  bool running = false;     ///< Has not failed; false in the installed view.
  bool installing = false;  ///< Install was asked for; nothing else may happen before it is done.
  bool recovered = false;   ///< This node holds the cut and all tails of its set.
  bool all_done = false;    ///< Somebody installed, so everybody was done.
  std::uint64_t done = 0;   ///< Whose DONE is here: bit i is prepare.members[i].
  std::optional<wire::Report> report;  ///< Own; empty until frozen.
  std::optional<wire::Plan> plan;

  [[nodiscard]] const ViewId& id() const noexcept { return prepare.attempt; }
};

/// What outlives a control plane: plain data that is written to the data plane's shared memory.
struct Durable {
  Member self;
  std::uint64_t sequence_seen = 0;
  ViewId view;
  std::uint32_t view_key_id = 0;  ///< Of the cluster key that view was agreed on with.
  std::vector<Member> members;    ///< Of view, sorted.
  bool frozen = false;
  bool leaving = false;
  Attempt attempt;  ///< Without the own report: the data plane gives it again.
};

[[nodiscard]] std::vector<std::byte> encode_snapshot(const Durable& durable, std::uint64_t count);

struct DecodedSnapshot {
  Durable durable;
  std::uint64_t count = 0;
};
/// Empty unless every byte is right (a control plane may have died while it wrote).
[[nodiscard]] std::optional<DecodedSnapshot> decode_snapshot(std::span<const std::byte> bytes);

}  // namespace phalanx::membership
