#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ipc/base/ids.h"
#include "ipc/client/groups.h"
#include "ipc/shm/attach_protocol.h"
#include "ipc/shm/client_channel.h"
#include "ipc/shm/lane_map.h"

namespace phalanx::client {

/// The channels of an attachment: one with each worker of the data plane. All that concerns a group
/// goes through the channel of the worker that turns the group's lane, so each ring has one writer
/// and one reader however many workers there are. Thread rules are those of the channels; what
/// follows looks at all of them.
class Channels {
 public:
  /// Maps them. Takes the doorbells out of `fds` (-1 is left there); the other descriptors, those
  /// of one channel behind those of another, stay with the caller. False leaves errno and all of
  /// them closed.
  [[nodiscard]] bool open(const shm::AttachReply& reply, const shm::LaneMap& map,
                          std::span<int> fds) noexcept;
  void close() noexcept;
  void abandon_after_fork() noexcept;

  [[nodiscard]] std::span<shm::ClientChannel> all() noexcept { return {channels_, count_}; }
  [[nodiscard]] std::span<const shm::ClientChannel> all() const noexcept {
    return {channels_, count_};
  }
  [[nodiscard]] shm::ClientChannel& of(const Group& group) noexcept {
    return channels_[group.channel];
  }
  [[nodiscard]] const shm::ClientChannel& of(const Group& group) const noexcept {
    return channels_[group.channel];
  }
  /// Which of them is a group's, until the next open(): for Group::channel.
  [[nodiscard]] std::uint8_t channel_of(GroupId group) const noexcept {
    return static_cast<std::uint8_t>(map_.lane_of(group) % count_);
  }
  /// As of the last attach.
  [[nodiscard]] LaneId lane_of(GroupId group) const noexcept { return map_.lane_of(group); }
  /// The same in all of them, and kept after close().
  [[nodiscard]] const shm::ChannelGeometry& geometry() const noexcept {
    return channels_[0].geometry();
  }

  /// Likewise: events come through the workers' shared logs.
  [[nodiscard]] bool reads_log() const noexcept { return channels_[0].reads_log(); }

  /// Evicted once all are: the data plane tells the others when one worker has evicted the client.
  [[nodiscard]] shm::ChannelState state() const noexcept;
  [[nodiscard]] bool broken() const noexcept;
  /// True when an event waits in any.
  bool refresh_events(std::memory_order order = std::memory_order_acquire) noexcept;
  void wait_for(std::uint32_t bit) noexcept;
  /// False: a worker has taken the wish before, so that a byte comes by the socket.
  bool wait_no_more(std::uint32_t bit) noexcept;

 private:
  shm::ClientChannel channels_[shm::kChannelsMax];
  std::size_t count_ = 1;  ///< Before the first attach there is one, closed.
  shm::LaneMap map_;
};

}  // namespace phalanx::client
