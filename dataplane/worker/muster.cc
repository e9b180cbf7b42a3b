#include "dataplane/worker/muster.h"

#include <algorithm>
#include <utility>

#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"

namespace phalanx::worker {

using shm::CommandKind;
using shm::Event;
using shm::WorkerEventKind;

Muster::Muster(std::size_t workers, LaneId lanes)
    : workers_(workers), lanes_(lanes), reports_(workers), keys_(workers) {
  PHX_CHECK(workers >= 2 && workers <= lanes && lanes <= kLanesMax);
}

void Muster::order(const shm::Command& command, const ViewId& attempt) {
  switch (command.kind) {
    case CommandKind::Freeze:
      freeze_ = {.of = attempt};
      break;
    case CommandKind::BeginRecovery:
      recovery_ = {.of = attempt};
      break;
    case CommandKind::Install:
      install_ = {.of = attempt};
      break;
    case CommandKind::ListGroups:
      listing_ = {};
      token_ = command.token;
      listed_.assign(4, std::byte{0});
      break;
    case CommandKind::SendControl:
    case CommandKind::Tune:
      break;  // Nobody answers these.
  }
}

std::optional<Event> Muster::answer(std::size_t worker, Event event) {
  PHX_CHECK(worker < workers_);
  switch (event.kind) {
    case WorkerEventKind::Frozen:
      return frozen(worker, event);
    case WorkerEventKind::Recovered:
      if (!complete(recovery_, worker, event.view)) return {};
      return event;
    case WorkerEventKind::Installed:
      PHX_CHECK(install_.of != event.view || !install_.refused);
      if (!complete(install_, worker, event.view)) return {};
      return event;
    case WorkerEventKind::Refused:
      return refused(std::move(event));
    case WorkerEventKind::Groups:
      return groups(worker, std::move(event));
    case WorkerEventKind::KeysHeld:
      return keys_held(worker, std::move(event));
    case WorkerEventKind::ControlMessage:
    case WorkerEventKind::ClientAttached:
    case WorkerEventKind::ClientDetached:
      if (worker != 0) return {};  // All have every client; the first one speaks of it.
      return event;
    case WorkerEventKind::Distrust:
      return event;
  }
  return {};
}

bool Muster::complete(Round& round, std::size_t worker, const ViewId& view) const noexcept {
  if (round.of != view || round.done) return false;
  round.answered |= 1U << worker;
  round.done = round.answered == (1U << workers_) - 1;
  return round.done;
}

/// The lanes' reports in the order of the lanes.
std::optional<Event> Muster::frozen(std::size_t worker, const Event& event) {
  if (freeze_.of != event.view || freeze_.done) return {};
  auto report = wire::decode_report(event.bytes);
  PHX_CHECK(report.has_value());  // Of a thread of this process.
  reports_[worker] = std::move(*report);
  if (!complete(freeze_, worker, event.view)) return {};
  wire::Report whole{.attempt = event.view, .old_view = reports_[0].old_view};
  for (LaneId lane = 0; lane < lanes_; ++lane) {
    const wire::Report& part = reports_[lane % workers_];
    PHX_CHECK(part.old_view == whole.old_view && lane / workers_ < part.lanes.size());
    whole.lanes.push_back(part.lanes[lane / workers_]);
  }
  Event out{.kind = WorkerEventKind::Frozen, .view = event.view};
  wire::encode(whole, out.bytes);
  return out;
}

/// One refusal is enough: the attempt is over. That of an install must be everybody's.
std::optional<Event> Muster::refused(Event event) {
  const bool of_install = event.token == static_cast<std::uint32_t>(CommandKind::Install);
  Round& round = of_install ? install_ : recovery_;
  if (round.of != event.view) return {};
  PHX_CHECK(!of_install || round.answered == 0);
  if (std::exchange(round.refused, true)) return {};
  return event;
}

/// Lists go whole or not at all, as far as there is room for them in an event.
std::optional<Event> Muster::groups(std::size_t worker, Event event) {
  if (event.token != token_ || listing_.done) return {};
  constexpr std::size_t kRoom = shm::kControlMessageBytesMax - 128;
  if (event.bytes.size() >= 4 && listed_.size() + event.bytes.size() - 4 <= kRoom) {
    const auto count =
        load_le<std::uint32_t>(listed_.data()) + load_le<std::uint32_t>(event.bytes.data());
    store_le<std::uint32_t>(listed_.data(), count);
    listed_.insert(listed_.end(), event.bytes.begin() + 4, event.bytes.end());
  }
  if (!complete(listing_, worker, {})) return {};
  event.bytes = std::move(listed_);
  return event;
}

/// The main thread tells each worker by itself: answers are matched by their number.
std::optional<Event> Muster::keys_held(std::size_t worker, Event event) {
  keys_[worker].push_back(std::move(event));
  if (std::ranges::any_of(keys_, [](const auto& answers) { return answers.empty(); })) return {};
  Event whole;
  for (std::size_t i = 0; i < workers_; ++i) {
    // Refused by one is not held.
    const bool worse = i == 0 || (whole.token != 0 && keys_[i].front().token == 0);
    if (worse) whole = keys_[i].front();
    keys_[i].pop_front();
  }
  return whole;
}

}  // namespace phalanx::worker
