#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/core/record.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "ipc/shm/channel.h"

namespace phalanx::worker {

inline constexpr std::size_t kClientsMax = 1024;
inline constexpr std::size_t kGroupsPerClientMax = 1024;

/// A group that a client may send to.
struct PortGroup {
  GroupId group = 0;
  bool joined = false;  ///< Its Join is submitted and no Leave.
  bool opened = false;
  std::uint8_t name_bytes = 0;
  LaneId lane = 0;
};

/// One attached client. The main thread makes it, with a channel, lends it to the worker
/// (AddClient) and frees it when the worker gives it back (ClientReleased). In between the worker
/// alone touches it, but for `wake_asked`.
struct ClientPort {
  ClientId id = 0;  ///< id % kClientsMax is its slot; an id is never used twice.
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool may_publish = true;
  bool may_subscribe = true;
  shm::WorkerChannel channel;
  bool reads_log = false;  ///< Its events go into the shared log.

  /// Set by the worker, cleared by the main thread before it writes the byte: asks coalesce.
  std::atomic<bool> wake_asked{false};

  // The worker's.
  enum class State : std::uint8_t {
    Attached,
    Draining,  ///< Hung up: what it submitted goes first, then its leaves.
    Leaving,   ///< Hung up or evicted: takes and gets nothing more, its leaves are being ordered.
    Left,      ///< Its leaves are on their way; given back once it has hung up.
  };
  State state = State::Attached;
  core::LeaveReason leave_reason = core::LeaveReason::ClientDied;
  bool hung_up = false;
  bool touched = false;  ///< Has events that are not published yet.
  bool stuck = false;    ///< Its next submission found no room: something else must move first.
  // While its delivery ring is full.
  TimeNs blocked_since = 0;      ///< 0: it is not.
  LaneId blocked_lane = 0;       ///< Which lane waits.
  std::uint64_t blocked_at = 0;  ///< What it had released when it was looked at last.
  TimeNs held_since = 0;         ///< Since then it has released less than a good share,
  std::uint64_t held_at = 0;     ///< from here on.
  /// How long it has held back a lane whose log is nearly full.
  struct Hold {
    LaneId lane = 0;
    std::uint64_t caught_up = 0;  ///< The lane's count when `in_all` began.
    TimeNs at_a_time = 0;         ///< Since its ring filled,
    TimeNs in_all = 0;            ///< and since the lane last caught up,
    TimeNs look_at = 0;           ///< until this look. 0: it did not, when looked at last.
  } hold;
  std::uint64_t log_seen = 0;  ///< How far it has read the shared log, when looked at last.
  std::byte* room = nullptr;   ///< Reserved for a long message that is copied over several turns,
  LaneId room_lane = 0;        ///< from this lane.
  // Its long submission that is copied over several turns. What was begun may not change.
  bool copying = false;
  GroupId copied_group = 0;
  LaneId copied_lane = 0;
  std::size_t copied_size = 0;
  std::size_t copied = 0;          ///< Bytes of it that are in the core.
  std::uint64_t submitted = 0;     ///< Submissions taken.
  std::uint64_t drain_budget = 0;  ///< Bytes that a client which hung up may still have queued.
  std::vector<PortGroup> groups;   ///< Sorted; reserved at attach.

  [[nodiscard]] PortGroup* find(GroupId group) noexcept {
    if (last_ < groups.size() && groups[last_].group == group) [[likely]]
      return &groups[last_];
    const auto at =
        std::lower_bound(groups.begin(), groups.end(), group,
                         [](const PortGroup& g, GroupId wanted) { return g.group < wanted; });
    if (at == groups.end() || at->group != group) return nullptr;
    last_ = static_cast<std::size_t>(at - groups.begin());
    return &*at;
  }
  PortGroup& find_or_add(GroupId group) {
    if (PortGroup* known = find(group)) return *known;
    const auto at =
        std::lower_bound(groups.begin(), groups.end(), group,
                         [](const PortGroup& g, GroupId wanted) { return g.group < wanted; });
    return *groups.insert(at, PortGroup{.group = group});
  }

 private:
  std::size_t last_ = 0;
};

}  // namespace phalanx::worker
