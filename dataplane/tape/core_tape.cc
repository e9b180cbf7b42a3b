#include "dataplane/tape/core_tape.h"

#include <algorithm>
#include <utility>

#include "ipc/base/bytes.h"
#include "ipc/base/fields.h"
#include "transport/wire/codec.h"

namespace phalanx::tape {
namespace {

/// Left free for a view change, which is kept in one segment: what a longer one does not find room
/// for is missing at its end.
constexpr std::size_t kReserve = kTapeLayout.segment_bytes / 4;
/// The longest image that is taken while no view changes: it is copied within a turn.
constexpr std::size_t kImageMax = std::size_t{512} << 10;
/// A byte that is ordered is on the tape so often: submitted, sent, with what goes around it.
constexpr std::size_t kTimesKept = 3;

}  // namespace

CoreTape::CoreTape(std::span<std::byte> memory, const core::CoreConfig& config, std::size_t nodes,
                   std::size_t budget)
    : config_(config), nodes_(nodes), budget_(budget), writer_(std::in_place, memory, kTapeLayout) {
  image_.reserve(kImageMax);
}

bool CoreTape::write_image(const core::Core& core) {
  image_.clear();
  encode(config_, nodes_, image_);
  core.image(image_);
  spent_ += image_.size();
  return writer_->image({image_});
}

void CoreTape::begin(const core::Core& core) {
  if (!core.at_rest()) return;
  if (writer_->room() < kReserve) writer_->turn_over();
  records_ = write_image(core);
  if (!records_) {
    writer_->turn_over();
    records_ = write_image(core);
  }
  const core::LaneShare share = config_.share();
  for (LaneId lane = share.first; lane < share.lanes; lane += share.step) {
    readers_[lane] = core.reader_at(lane);
  }
  time_due_ = poll_due_ = true;
}

void CoreTape::keep_readers(const core::Core& core) noexcept {
  std::array<std::byte, 8 * kLanesMax> bytes;
  bool moved = false;
  std::size_t used = 0;
  const core::LaneShare share = config_.share();
  for (LaneId lane = share.first; lane < share.lanes; lane += share.step) {
    const std::uint64_t at = core.reader_at(lane);
    moved = moved || at != readers_[lane];
    readers_[lane] = at;
    store_le<std::uint64_t>(bytes.data() + used, at);
    used += sizeof at;
  }
  if (!moved) return;
  records_ = writer_->step(
      {encode({.kind = StepKind::Readers, .now = now_}), std::span(bytes).first(used)});
}

/// Readers move between calls: where they are goes before a call that may ask for it.
void CoreTape::keep(const core::Core& core, const Step& step,
                    recorder::TapeWriter::Parts bytes) noexcept {
  const std::size_t room = writer_->room();
  keep_readers(core);
  records_ = records_ && writer_->step(encode(step), bytes);
  if (step.kind != StepKind::Time) time_due_ = true;
  if (step.kind != StepKind::Poll) poll_due_ = true;
  spent_ += room - writer_->room();
  if (spent_ > budget_ && !changes_) records_ = false;
}

core::Verdict CoreTape::keep_accept(core::Core& core, const wire::FrameHeader& header,
                                    std::span<const std::byte> payload, TimeNs now) noexcept {
  const core::Verdict verdict = core.accept(header, payload, now);
  keep(core,
       {.kind = StepKind::Frame,
        .flag = static_cast<std::uint8_t>(header.type),
        .lane = header.lane,
        .sender = header.sender,
        .now = now,
        .position = header.position,
        .outcome = static_cast<std::uint64_t>(verdict)},
       {payload});
  return verdict;
}

std::byte* CoreTape::reserve(core::Core& core, LaneId lane, std::uint32_t payload_bytes) noexcept {
  std::byte* room = core.reserve(lane, payload_bytes);
  if (records_) {
    keep(core,
         {.kind = StepKind::Reserve,
          .lane = lane,
          .now = now_,
          .position = payload_bytes,
          .outcome = room != nullptr ? 1U : 0U},
         {});
  }
  return room;
}

void CoreTape::commit(core::Core& core, LaneId lane, const core::RecordHeader& header) noexcept {
  const std::byte* room = core.reserved(lane);
  core.commit(lane, header);
  if (!records_) return;
  std::array<std::byte, core::kRecordHeaderBytes> head;
  core::encode_record_header(header, head.data());
  keep(core, {.kind = StepKind::Commit, .lane = lane, .now = now_},
       {head, {room, header.payload_bytes}});
}

bool CoreTape::keep_append(core::Core& core, LaneId lane,
                           const core::AppMessage& message) noexcept {
  const auto bytes = static_cast<std::uint32_t>(message.payload.size());
  std::byte* room = reserve(core, lane, bytes);
  if (room == nullptr) return false;
  std::ranges::copy(message.payload, room);
  commit(core, lane, core::header_of(message));
  return true;
}

void CoreTape::cancel(core::Core& core, LaneId lane) noexcept {
  core.cancel(lane);
  if (records_) keep(core, {.kind = StepKind::Cancel, .lane = lane, .now = now_}, {});
}

void CoreTape::set_distrust(core::Core& core, bool distrusts) noexcept {
  core.set_distrust(distrusts);
  const auto flag = static_cast<std::uint8_t>(distrusts ? 1 : 0);
  if (records_) keep(core, {.kind = StepKind::Distrust, .flag = flag, .now = now_}, {});
}

void CoreTape::keep_on_time(core::Core& core, TimeNs now) noexcept {
  now_ = now;
  const bool due = time_due_ || core.turn_matters(now);
  core.on_time(now);
  if (now >= period_end_) {
    period_end_ = now + kPeriod;
    spent_ = 0;
  }
  if (!due) return;  // It changed nothing.
  time_due_ = false;
  keep(core, {.kind = StepKind::Time, .now = now, .outcome = core.digest()}, {});
  if (records_ && !changes_ && writer_->room() < kReserve && fits(core)) begin(core);
}

std::size_t CoreTape::keep_poll_tx(core::Core& core, std::span<core::TxItem> out,
                                   TimeNs now) noexcept {
  const TimeNs wake_before = core.wake_at();
  const std::size_t count = core.poll_tx(out, now);
  // With nothing to say it changes what it waits for at most.
  if (!poll_due_ && count == 0 && core.wake_at() == wake_before) return 0;
  poll_due_ = count == out.size();  // Something may have found no room to be looked at.
  keep(core,
       {.kind = StepKind::Poll,
        .now = now,
        .position = out.size(),
        .outcome = outcome_of(out.first(count))},
       {});
  return count;
}

void CoreTape::freeze(core::Core& core, TimeNs now) {
  core.freeze();
  if (!writer_ || changes_) return;
  changes_ = true;
  if (!records_ || writer_->room() < kReserve) return begin(core);
  keep(core, {.kind = StepKind::Freeze, .now = now, .outcome = core.digest()}, {});
}

std::vector<std::byte> CoreTape::report(core::Core& core, const ViewId& attempt, TimeNs now) {
  std::vector<std::byte> report;
  wire::encode(core.report(attempt), report);
  if (records_) {
    std::vector<std::byte> bytes;
    wire::Writer(bytes).put(attempt);
    keep(core, {.kind = StepKind::Report, .now = now, .outcome = outcome_of_report(report)},
         {bytes});
  }
  return report;
}

bool CoreTape::begin_recovery(core::Core& core, const wire::Plan& plan,
                              std::span<const std::byte> encoded, TimeNs now) {
  if (writer_ && !changes_) {
    changes_ = true;
    begin(core);
  }
  const bool taken = core.begin_recovery(plan, now);
  if (records_) {
    keep(core,
         {.kind = StepKind::Plan,
          .flag = static_cast<std::uint8_t>(taken ? 1 : 0),
          .now = now,
          .outcome = outcome_of(core, taken)},
         {encoded});
  }
  return taken;
}

void CoreTape::install(core::Core& core, const wire::Plan& plan, std::span<const std::byte> encoded,
                       TimeNs now, bool quorate) {
  core.install(plan, now, quorate);
  if (records_) {
    keep(core,
         {.kind = StepKind::Install,
          .flag = static_cast<std::uint8_t>(quorate ? 1 : 0),
          .now = now,
          .outcome = outcome_of_install(core)},
         {encoded});
  }
  changes_ = false;
  spent_ = 0;
  period_end_ = now + kPeriod;
}

bool CoreTape::fits(const core::Core& core) const noexcept {
  return core.at_rest() && core.image_bytes() + kSizesBytesMax <= kImageMax;
}

/// What is ordered tells what would have to be kept, without keeping it.
void CoreTape::consider(const core::Core& core, TimeNs now) noexcept {
  if (!writer_ || records_ || changes_ || now < considered_ || core.frozen()) return;
  considered_ = now + kPeriod;
  std::uint64_t ordered = 0;
  const core::LaneShare share = config_.share();
  for (LaneId lane = share.first; lane < share.lanes; lane += share.step) {
    const core::LaneStatus status = core.lane_status(lane);
    ordered += status.received + status.stream_end;
  }
  const std::uint64_t more = ordered - std::exchange(ordered_, ordered);
  if (more > budget_ / kTimesKept || !fits(core)) return;
  spent_ = 0;
  period_end_ = now + kPeriod;
  now_ = now;
  begin(core);
}

}  // namespace phalanx::tape
