#include "dataplane/worker/crew.h"

#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::worker {

void Crew::order(const shm::Command& command, const ViewId& attempt) {
  PHX_CHECK(!busy());
  muster_.order(command, attempt);
  unsent_ = command;
  next_ = 0;
  send();
}

void Crew::send() {
  for (; next_ < others_.size(); ++next_) {
    if (!others_[next_]->send(*unsent_)) return;  // Its ring is full.
  }
  unsent_.reset();
}

std::size_t Crew::turn() {
  std::size_t taken = 0;
  if (busy()) [[unlikely]]
    send();
  for (std::size_t i = 0; i < others_.size(); ++i) {
    for (; others_[i]->has_event(); ++taken) {
      if (auto event = others_[i]->take_event()) take(i + 1, std::move(*event));
    }
  }
  return taken;
}

void Crew::take(std::size_t worker, shm::Event event) {
  if (const auto whole = muster_.answer(worker, std::move(event))) control_.post(*whole);
}

bool Crew::arm() noexcept {
  bool waits = busy();
  for (shm::ControlOrders* other : others_) waits = other->arm() || waits;
  return waits;
}

void Crew::disarm() noexcept {
  for (shm::ControlOrders* other : others_) other->disarm();
}

}  // namespace phalanx::worker
