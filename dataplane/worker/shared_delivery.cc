#include "dataplane/worker/shared_delivery.h"

#include <algorithm>

namespace phalanx::worker {

SharedDelivery::SharedDelivery(shm::DeliveryLog* log) : log_(log) {
  if (log_ == nullptr) return;
  readers_.reserve(kClientsMax);
  slow_.reserve(kClientsMax);
}

void SharedDelivery::join(ClientPort& port) noexcept {
  if (!port.reads_log) return;
  log_->events().publish(std::memory_order_seq_cst);
  port.log_seen = log_->tail();
  port.channel.join_log(port.log_seen);
  readers_.push_back(&port);
}

void SharedDelivery::leave(ClientPort& port) noexcept {
  if (port.reads_log) std::erase(readers_, &port);
}

std::uint64_t SharedDelivery::lag(ClientPort& port) noexcept {
  const std::uint64_t tail = log_->tail();
  port.log_seen = port.channel.log_position(port.log_seen, tail);
  return tail - port.log_seen;
}

std::span<ClientPort* const> SharedDelivery::make_room(std::uint64_t need) noexcept {
  log_->events().publish(std::memory_order_seq_cst);
  const std::uint64_t tail = log_->tail();
  std::uint64_t lag_most = 0;
  slow_.clear();
  for (ClientPort* port : readers_) {
    port->log_seen = port->channel.log_position(port->log_seen, tail);
    const std::uint64_t lag = tail - port->log_seen;
    if (port->channel.broken() || lag + need > log_->bytes()) {
      slow_.push_back(port);
    } else {
      lag_most = std::max(lag_most, lag);
    }
  }
  log_->let_go(tail - lag_most);
  return slow_;
}

void SharedDelivery::publish(PortTable& ports) noexcept {
  if (log_ == nullptr || announced_ == log_->tail()) return;
  log_->events().publish(std::memory_order_seq_cst);
  announced_ = log_->tail();
  for (ClientPort* port : readers_) {
    if (port->channel.log_published()) ports.wake(*port);
  }
}

}  // namespace phalanx::worker
