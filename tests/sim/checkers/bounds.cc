#include <algorithm>

#include "tests/sim/checkers/checkers.h"
#include "tests/sim/checkers/violation.h"

namespace phalanx::sim {

void Liveness::stuck(TimeNs waited, const std::string& why) {
  violated("G8 liveness", "all nodes run and hear each other for " +
                              std::to_string(waited / kMillisecond) +
                              " ms without one view and everything delivered: " + why);
}

void Liveness::unsettled(TimeNs waited, const std::string& why) {
  violated("G8 liveness", "which nodes hear each other did not change for " +
                              std::to_string(waited / kMillisecond) + " ms, yet " + why);
}

void Liveness::accused(const std::string& view) {
  violated("G8 liveness", "nothing had failed, and yet a view of all nodes was left for " + view);
}

void Bounds::on_send(const Facts& facts, const SentFrame& frame) {
  if (!frame.ordered || frame.recovery) return;
  const ViewFacts& view = facts.views[frame.view];
  const Position end = frame.position + frame.payload.size();
  Position least = end;
  for (std::size_t rank = 0; rank < view.members.size(); ++rank) {
    if (view.incarnations[rank] != frame.who)
      least = std::min(least, view.lanes[frame.lane].held[rank].received);
  }
  const auto ahead = [&](const std::string& by, std::uint32_t window) {
    violated("G9 bounds", facts.name(frame.who) + " sends the log of lane " +
                              std::to_string(frame.lane) + " up to " + std::to_string(end) + ", " +
                              by + " ahead of a member; the window is " + std::to_string(window));
  };
  if (end - least > window_bytes_) ahead(std::to_string(end - least) + " bytes", window_bytes_);
  if (end <= view.lanes[frame.lane].bytes.size()) return;  // A repair.
  std::deque<Position>& frames = in_flight_[{frame.view, frame.lane, frame.who}];
  while (!frames.empty() && frames.front() <= least) frames.pop_front();
  frames.push_back(end);
  if (frames.size() > window_frames_)
    ahead(std::to_string(frames.size()) + " frames", window_frames_);
}

void Bounds::spins(const Facts& facts, Incarnation who) {
  violated("G9 bounds", facts.name(who) + " is woken again and again and has nothing to do");
}

void Nonces::on_seal(const Facts& facts, Incarnation who, std::uint64_t key, std::uint32_t space,
                     std::uint64_t counter) {
  const auto [at, fresh] = last_.try_emplace({key, space}, counter);
  if (!fresh && counter <= at->second) {
    violated("G10 nonces", facts.name(who) + " seals with counter " + std::to_string(counter) +
                               " in nonce space " + std::to_string(space) + " after " +
                               std::to_string(at->second) + " under the same key");
  }
  at->second = counter;
}

void Nonces::on_open(const Facts& facts, Incarnation who, std::uint64_t key, std::uint32_t space,
                     std::uint64_t counter) {
  std::vector<bool>& opened = opened_[{who, key, space}];
  if (opened.size() <= counter) opened.resize(counter + 1 + counter / 2);
  if (opened[counter]) {
    violated("G10 nonces", facts.name(who) + " takes the frame with counter " +
                               std::to_string(counter) + " of nonce space " +
                               std::to_string(space) + " a second time");
  }
  opened[counter] = true;
}

}  // namespace phalanx::sim
