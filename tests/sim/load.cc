#include "tests/sim/load.h"

#include <algorithm>

#include "tests/sim/payload.h"

namespace phalanx::sim {

Load::Load(const Scenario& scenario, NodeId node, std::uint64_t seed, TimeNs start)
    : options_(scenario.load),
      message_bytes_max_(scenario.message_bytes_max),
      copy_bytes_max_(scenario.copy_bytes_max),
      random_(seed),
      next_(start + random_.below(2 * options_.interval)),
      left_(options_.records_per_node),
      patient_(node != options_.give_up_node),
      waiting_(scenario.lanes),
      copied_(scenario.lanes) {}

void Load::on_time(TimeNs now) {
  while (next_ <= now) {
    for (std::uint64_t n = random_.range(1, options_.burst_max); n > 0 && left_ > 0; --n) {
      --left_;
      draw();
    }
    next_ = left_ == 0 ? kNever : next_ + 1 + random_.below(2 * options_.interval);
  }
}

void Load::burst(std::uint64_t records) {
  for (; records > 0; --records) draw();
}

std::size_t Load::waiting() const noexcept {
  std::size_t sum = 0;
  for (const auto& lane : waiting_) sum += lane.size();
  return sum;
}

/// A group lives in one lane, so that joins and leaves of it are in one order.
Submission Load::draw_membership() {
  Submission out;
  out.client = static_cast<ClientId>(random_.range(1, options_.clients));
  out.group = group_of(static_cast<std::uint32_t>(random_.below(options_.groups)));
  const bool joined = joined_.contains({out.group, out.client});
  out.kind = joined ? core::RecordKind::Leave : core::RecordKind::Join;
  out.payload_bytes = joined ? 1 : static_cast<std::uint32_t>(join_payload_bytes(out.group));
  if (joined) {
    joined_.erase({out.group, out.client});
  } else {
    joined_.insert({out.group, out.client});
  }
  return out;
}

void Load::draw() {
  if (random_.percent(options_.join_percent)) {
    const Submission membership = draw_membership();
    waiting_[membership.group % waiting_.size()].push_back(membership);
    return;
  }
  Submission out;
  out.client = static_cast<ClientId>(random_.range(1, options_.clients));
  out.group = group_of(static_cast<std::uint32_t>(random_.below(options_.groups)));
  const std::uint32_t most = random_.percent(options_.bulk_percent)
                                 ? message_bytes_max_
                                 : std::min(options_.payload_bytes_max, message_bytes_max_);
  out.payload_bytes = static_cast<std::uint32_t>(
      random_.percent(10) ? most - random_.below(std::min(most, 9u) + 1) : random_.below(most + 1));
  out.flags = random_.percent(options_.safe_percent) ? core::kRecordSafe : 0;
  out.content = random_.next();
  waiting_[out.group % waiting_.size()].push_back(out);
}

bool Load::is_copying(const core::Core& core) const noexcept {
  for (LaneId lane = 0; lane < lanes(); ++lane) {
    if (copied_[lane] > 0 && core.reserved(lane) != nullptr) return true;
  }
  return false;
}

bool Load::copy(LaneId lane, std::byte* room) {
  const Submission& next = waiting_[lane].front();
  std::vector<std::byte> payload(next.payload_bytes);
  fill_payload(next, payload);
  std::size_t& copied = copied_[lane];
  const std::size_t piece = std::min<std::size_t>(payload.size() - copied, copy_bytes_max_);
  std::copy_n(payload.begin() + static_cast<std::ptrdiff_t>(copied), piece, room + copied);
  copied += piece;
  return copied == payload.size();
}

std::size_t Load::submit(core::Core& core, tape::CoreTape& tape, Observer& observer,
                         Incarnation who) {
  std::size_t accepted = 0;
  for (LaneId lane = 0; lane < lanes(); ++lane) {
    auto& queue = waiting_[lane];
    const auto loses_patience = [&] {
      return !patient_ && queue.front().kind == core::RecordKind::App &&
             random_.percent(options_.give_up_percent);
    };
    while (!queue.empty()) {
      Submission& next = queue.front();
      std::byte* room = copied_[lane] > 0 ? core.reserved(lane) : nullptr;
      if (room == nullptr) {
        copied_[lane] = 0;
        room = tape.reserve(core, lane, next.payload_bytes);
      }
      if (room == nullptr) {
        if (loses_patience()) queue.pop_front();
        break;
      }
      if (!copy(lane, room)) {
        ++accepted;
        if (loses_patience()) {
          tape.cancel(core, lane);
          copied_[lane] = 0;
          queue.pop_front();
        }
        break;
      }
      copied_[lane] = 0;
      tape.commit(core, lane,
                  {.payload_bytes = next.payload_bytes,
                   .kind = next.kind,
                   .flags = next.flags,
                   .client = next.client,
                   .group = next.group});
      // The core wrote the header in front of the payload; the stream position in it is how the
      // record is known from here on.
      next.position = core::decode_record_header(room - core::kRecordHeaderBytes).stream_position;
      observer.on_submit(who, lane, next);
      queue.pop_front();
      ++accepted;
    }
  }
  return accepted;
}

}  // namespace phalanx::sim
