#include "ipc/client/channels.h"

namespace phalanx::client {

bool Channels::open(const shm::AttachReply& reply, const shm::LaneMap& map,
                    std::span<int> fds) noexcept {
  const shm::ChannelGeometry& geometry = reply.geometry;
  const bool has_bulk = reply.has_bulk();
  const std::size_t each = reply.descriptors_each();
  count_ = reply.channels();
  map_ = map;
  for (std::size_t i = 0; i < count_; ++i) {
    int* mine = &fds[i * each];
    const int doorbell = mine[1];
    mine[1] = -1;
    if (!channels_[i].open(mine[0], doorbell, has_bulk ? mine[2] : -1, geometry,
                           reply.has_log() ? mine[each - 1] : -1)) {
      close();  // Which leaves errno as it was: nothing of it can fail.
      return false;
    }
  }
  return true;
}

void Channels::close() noexcept {
  for (shm::ClientChannel& channel : all()) channel.close();
}

void Channels::abandon_after_fork() noexcept {
  for (shm::ClientChannel& channel : all()) channel.abandon_after_fork();
}

shm::ChannelState Channels::state() const noexcept {
  bool all_evicted = true;
  for (const shm::ClientChannel& channel : all()) {
    const shm::ChannelState state = channel.state();
    if (state == shm::ChannelState::Disconnected) return state;
    all_evicted = all_evicted && state == shm::ChannelState::Evicted;
  }
  return all_evicted ? shm::ChannelState::Evicted : shm::ChannelState::Open;
}

bool Channels::broken() const noexcept {
  for (const shm::ClientChannel& channel : all()) {
    if (channel.broken()) return true;
  }
  return false;
}

bool Channels::refresh_events(std::memory_order order) noexcept {
  for (shm::ClientChannel& channel : all()) {
    if (channel.refresh_events(order)) return true;
  }
  return false;
}

void Channels::wait_for(std::uint32_t bit) noexcept {
  for (shm::ClientChannel& channel : all()) channel.wait_for(bit);
}

bool Channels::wait_no_more(std::uint32_t bit) noexcept {
  bool mine = true;
  for (shm::ClientChannel& channel : all()) mine = channel.wait_no_more(bit) && mine;
  return mine;
}

}  // namespace phalanx::client
