#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/worker/group_table.h"
#include "dataplane/worker/port_table.h"
#include "dataplane/worker/shared_delivery.h"
#include "dataplane/worker/submissions.h"

namespace phalanx::worker {

/// What happens when a client's ring is full. Until then its lane's local delivery pauses, for all
/// clients of this node: that is how far it may lag beyond its ring.
struct SlowClientPolicy {
  /// Evicted after so long: a hiccup of the scheduler for `evict`, which begins anew whenever the
  /// client has read something; throttle_max for `throttle`. After kPatienceHolds times as long in
  /// which it has made room now and then, but not for a quarter of its ring in all.
  TimeNs patience = 500 * kMillisecond;
  static constexpr int kPatienceHolds = 16;
  bool holds_lane = false;  ///< `throttle`: also when that holds the whole lane back.
  /// `evict`: with no more than this room left it holds the lane back, which it may do for hold_max
  /// at a time, and kPatienceHolds times as long in all until the lane has caught up: a reader that
  /// was not scheduled for a while stays, one that is slower than the lane goes.
  std::uint64_t room_min = 0;
  TimeNs hold_max = 50 * kMillisecond;

  /// As configured: a node that dies holds all lanes for dead_after, and so may a client.
  void tune(const shm::Tuning& tuning) noexcept {
    holds_lane = tuning.throttles;
    patience = tuning.throttles ? tuning.throttle_max : SlowClientPolicy{}.patience;
    hold_max = tuning.dead_after;
  }
};

/// The lanes' logs -> client rings: every record is copied to the local members of its group, in
/// order, and shown once a turn. Record-major: a record is in the cache when it is copied to the
/// second client. Those that read the shared log get it there, once for all of them. The worker's
/// thread only.
class Delivery {
 public:
  Delivery(NodeId self, const core::LaneShare& share, const SlowClientPolicy& policy,
           core::Core& core, PortTable& ports, Submissions& submissions,
           shm::ControlWorkerEnd& control, shm::DeliveryLog* shared_log = nullptr);

  void tune(const shm::Tuning& tuning) noexcept { policy_.tune(tuning); }

  /// One turn, bounded in bytes. Returns the records consumed.
  std::size_t deliver_turn(TimeNs now) noexcept;

  /// Tells a new client which view there is, and where the shared log is if it reads that.
  void greet(ClientPort& port) noexcept;
  /// The client hung up: nothing more is written for it.
  void forget(ClientPort& port) noexcept;
  /// Tells it that it is evicted; nothing more goes to it.
  void put_out(ClientPort& port) noexcept;

  /// What a client has not read, and of how much: of its ring, or of the shared log. For display.
  struct Unread {
    std::uint64_t bytes = 0;
    std::uint64_t queued = 0;
  };
  [[nodiscard]] Unread unread(ClientPort& port) noexcept;

  /// When a lane waits for a slow client: when to look again. kNever: no lane waits.
  [[nodiscard]] TimeNs wake_at() const noexcept { return wake_at_; }
  [[nodiscard]] GroupTable& groups(LaneId lane) noexcept { return lanes_[lane].table; }
  /// Of the last client; 0: none was.
  [[nodiscard]] TimeNs evicted_at() const noexcept { return evicted_at_; }
  /// As of the view that clients were told of last.
  [[nodiscard]] bool quorate() const noexcept { return view_ && view_->quorate; }
  [[nodiscard]] std::uint64_t delivered(LaneId lane) const noexcept {
    return lanes_[lane].delivered;
  }

 private:
  struct Lane {
    explicit Lane(NodeId self) noexcept : table(self) {}
    GroupTable table;
    GroupChanges changes;  ///< Of the current record, when `applied`.
    bool applied = false;
    std::size_t step = 0;           ///< Of the current record: which event is being written,
    std::size_t recipient = 0;      ///< to whom next,
    std::size_t copied = 0;         ///< and bytes of a long message that all recipients have.
    std::byte* log_room = nullptr;  ///< For it in the shared log, while it is copied there.
    std::uint64_t delivered = 0;
    std::uint64_t caught_up = 0;  ///< How often all that was there had been delivered.
  };

  std::size_t deliver_lane(LaneId id, Lane& lane, TimeNs now) noexcept;
  [[nodiscard]] shm::EventProducer* sole_target(Lane& lane, GroupId group) noexcept;
  [[nodiscard]] bool any_reads_log(std::span<const ClientId> members) noexcept;
  /// `write` writes to the shared log, and says whether there was room: made by evicting those in
  /// the way. False: another lane's long message comes first.
  template <class Write>
  bool write_to_log(LaneId id, TimeNs now, Write write) noexcept;
  void evict(ClientPort& port, LaneId lane, TimeNs now) noexcept;
  void stop_writing(ClientPort& port) noexcept;
  bool deliver(LaneId id, Lane& lane, const core::LocalRecord& record, TimeNs now) noexcept;
  bool deliver_message(LaneId id, Lane& lane, const core::LocalRecord& record, TimeNs now) noexcept;
  bool deliver_long(LaneId id, Lane& lane, const core::LocalRecord& record, TimeNs now) noexcept;
  /// Of a long message that must wait: the room it has found so far.
  void give_back(LaneId id, Lane& lane, std::span<const ClientId> members) noexcept;
  bool deliver_changes(LaneId id, Lane& lane, const core::LocalRecord& record, TimeNs now);
  bool to_everyone(LaneId id, Lane& lane, TimeNs now) noexcept;
  bool write_step(ClientPort& port, LaneId id, const Lane& lane) noexcept;
  bool write_event(shm::EventProducer& to, const Lane& lane) noexcept;
  bool write_group_event(shm::EventProducer& to, const GroupEvent& event) noexcept;
  [[nodiscard]] ClientPort* receiver(ClientId id) noexcept {
    ClientPort* port = ports_.find(id);
    return port != nullptr && port->state == ClientPort::State::Attached ? port : nullptr;
  }
  /// The ring is full. True: it is out, go on without it. False: wait, nothing more of this lane
  /// now.
  bool evicted_for(ClientPort& port, LaneId lane, TimeNs now) noexcept;
  [[nodiscard]] bool held_back_too_long(ClientPort& port, bool just_full, LaneId id,
                                        TimeNs now) noexcept;
  [[nodiscard]] bool out_of_patience(ClientPort& port, LaneId lane, TimeNs now) const noexcept;
  /// Other lanes may still find room for what is shorter: that ends no wait of this one.
  void written(ClientPort& port, LaneId lane) noexcept {
    if (port.blocked_lane == lane) port.blocked_since = 0;
    if (!port.touched) [[unlikely]]
      touch(port);
    ++events_;
  }
  void touch(ClientPort& port) noexcept;
  void publish_touched() noexcept;

  SlowClientPolicy policy_;
  core::Core& core_;
  PortTable& ports_;
  Submissions& submissions_;
  shm::ControlWorkerEnd& control_;
  core::LaneShare share_;
  std::vector<Lane> lanes_;  ///< By id; those of other workers stay empty.
  SharedDelivery shared_;
  std::vector<ClientPort*> touched_;
  std::optional<NodeViewEvent> view_;
  std::uint64_t events_ = 0;
  TimeNs wake_at_ = kNever;
  TimeNs evicted_at_ = 0;
};

template <class Write>
bool Delivery::write_to_log(LaneId id, TimeNs now, Write write) noexcept {
  if (shared_.is_reserved()) {
    wake_at_ = 0;
    return false;
  }
  // Usually the slowest goes; for what is long, all in its way; what never fits nobody can read.
  const std::uint64_t all = shared_.bytes();
  const std::array<std::uint64_t, 3> needs{all / 8, all / 2, all + 1};
  for (std::size_t tries = 0; !write(shared_.events()); ++tries) {
    // They are told before the next write, from which on they may be written over.
    for (ClientPort* port : shared_.make_room(needs[tries])) {
      if (port->channel.broken()) {
        forget(*port);
      } else {
        evict(*port, id, now);
      }
    }
    if (!shared_.has_readers()) return true;
  }
  ++events_;
  return true;
}

}  // namespace phalanx::worker
