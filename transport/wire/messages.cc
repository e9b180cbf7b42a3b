#include "transport/wire/messages.h"

#include "ipc/base/assert.h"
#include "transport/wire/ballot_codec.h"
#include "transport/wire/codec.h"

namespace phalanx::wire {
namespace {

constexpr std::uint8_t kHelloLeaving = 1;
constexpr std::uint8_t kHelloAttemptRunning = 2;

constexpr std::size_t kRangeBytes = 16;
constexpr std::size_t kLaneReportBytes = 5 * 8 + 2;

void put(Writer& to, const Range& range) {
  to.put(range.from);
  to.put(range.to);
}

Range take_range(Reader& from) noexcept {
  Range range;
  range.from = from.take<std::uint64_t>();
  range.to = from.take<std::uint64_t>();
  return range;
}

LaneReport take_lane_report(Reader& from) {
  LaneReport lane;
  lane.received = from.take<std::uint64_t>();
  lane.delivered = from.take<std::uint64_t>();
  lane.stable = from.take<std::uint64_t>();
  lane.stream_base = from.take<std::uint64_t>();
  lane.stream_end = from.take<std::uint64_t>();
  from.require(lane.delivered <= lane.received && lane.stable <= lane.received &&
               lane.stream_base <= lane.stream_end);

  lane.held.resize(from.take_count<std::uint16_t>(kRangesMax, kRangeBytes));
  Position before = lane.received;
  for (Range& range : lane.held) {
    range = take_range(from);
    from.require(before < range.from && range.from < range.to);
    before = range.to;
  }
  return lane;
}

}  // namespace

void encode(const Hello& hello, std::vector<std::byte>& out) {
  PHX_CHECK(hello.heard.size() <= kNodesMax);
  Writer to(out);
  to.put(hello.view);
  to.put(hello.view_members);
  to.put(hello.sequence_seen);
  to.put(hello.config_hash);
  to.put(hello.key_id_highest);
  to.put(static_cast<std::uint8_t>((hello.leaving ? kHelloLeaving : 0) |
                                   (hello.attempt_running ? kHelloAttemptRunning : 0)));
  to.put(hello.heard);
}

std::optional<Hello> decode_hello(std::span<const std::byte> bytes) {
  Reader from(bytes);
  Hello hello;
  hello.view = from.take_view();
  hello.view_members = from.take<std::uint8_t>();
  from.require(hello.view_members <= kNodesMax &&
               hello.view.is_none() == (hello.view_members == 0));
  hello.sequence_seen = from.take<std::uint64_t>();
  hello.config_hash = from.take<std::uint64_t>();
  hello.key_id_highest = from.take<std::uint32_t>();
  const auto flags = from.take<std::uint8_t>();
  from.require(flags <= (kHelloLeaving | kHelloAttemptRunning));
  hello.leaving = (flags & kHelloLeaving) != 0;
  hello.attempt_running = (flags & kHelloAttemptRunning) != 0;
  hello.heard = from.take_members();
  if (!from.finished()) return std::nullopt;
  return hello;
}

void encode(const Prepare& prepare, std::vector<std::byte>& out) {
  PHX_CHECK(!prepare.members.empty() && prepare.members.size() <= kNodesMax);
  Writer to(out);
  to.put(prepare.attempt);
  to.put(prepare.key_id);
  to.put(prepare.members);
}

std::optional<Prepare> decode_prepare(std::span<const std::byte> bytes) {
  Reader from(bytes);
  Prepare prepare;
  prepare.attempt = from.take_some_view();
  prepare.key_id = from.take<std::uint32_t>();
  prepare.members = from.take_members();
  from.require(!prepare.members.empty());
  if (!from.finished()) return std::nullopt;
  return prepare;
}

void encode(const Refusal& refusal, std::vector<std::byte>& out) {
  Writer to(out);
  to.put(refusal.attempt);
  to.put(refusal.sequence_seen);
}

std::optional<Refusal> decode_refusal(std::span<const std::byte> bytes) {
  Reader from(bytes);
  Refusal refusal;
  refusal.attempt = from.take_some_view();
  refusal.sequence_seen = from.take<std::uint64_t>();
  if (!from.finished()) return std::nullopt;
  return refusal;
}

void encode(const Report& report, std::vector<std::byte>& out) {
  PHX_CHECK(report.lanes.size() <= kLanesMax);
  Writer to(out);
  to.put(report.attempt);
  to.put(report.old_view);
  to.put(static_cast<std::uint8_t>(report.lanes.size()));
  for (const LaneReport& lane : report.lanes) {
    PHX_CHECK(lane.held.size() <= kRangesMax);
    to.put(lane.received);
    to.put(lane.delivered);
    to.put(lane.stable);
    to.put(lane.stream_base);
    to.put(lane.stream_end);
    to.put(static_cast<std::uint16_t>(lane.held.size()));
    for (const Range& range : lane.held) put(to, range);
  }
  put(to, report.ballot);
}

std::optional<Report> decode_report(std::span<const std::byte> bytes) {
  Reader from(bytes);
  Report report;
  report.attempt = from.take_some_view();
  report.old_view = from.take_view();
  report.lanes.resize(from.take_count<std::uint8_t>(kLanesMax, kLaneReportBytes));
  for (LaneReport& lane : report.lanes) lane = take_lane_report(from);
  report.ballot = take_ballot(from);
  if (!from.finished()) return std::nullopt;
  return report;
}

void encode(const Done& done, std::vector<std::byte>& out) { Writer(out).put(done.attempt); }

std::optional<Done> decode_done(std::span<const std::byte> bytes) {
  Reader from(bytes);
  Done done;
  done.attempt = from.take_some_view();
  if (!from.finished()) return std::nullopt;
  return done;
}

}  // namespace phalanx::wire
