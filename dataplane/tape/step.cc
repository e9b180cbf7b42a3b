#include "dataplane/tape/step.h"

#include <bit>

#include "ipc/base/bytes.h"
#include "ipc/base/fields.h"

namespace phalanx::tape {
namespace {

void visit_config(auto& config, auto& v) {
  v(config.self);
  v(config.boot);
  v(config.lanes);
  v(config.first_lane);
  v(config.lane_step);
  v(config.frame_payload_bytes);
  v(config.record_bytes_max);
  v(config.log_bytes);
  v(config.stream_bytes);
  v(config.submit_window_bytes);
  v(config.window_bytes);
  v(config.window_frames);
  v(config.copy_bytes_max);
  v(config.heartbeat_interval);
  v(config.handover);
  v(config.handover_bytes_min);
}

/// What the core's constructor takes for granted, and no more memory than a host may have.
bool sound(const core::CoreConfig& c, std::size_t nodes) {
  constexpr std::uint64_t kRingMax = std::uint64_t{1} << 30;
  const auto ring = [](std::uint64_t bytes) {
    return std::has_single_bit(bytes) && bytes >= 4096 && bytes <= kRingMax;
  };
  const std::uint64_t log = 2 * std::uint64_t{c.record_bytes_max} + c.window_bytes +
                            nodes * std::uint64_t{c.submit_window_bytes} + core::kInstallBytes;
  return c.self != 0 && !c.boot.is_none() && c.share().is_sound() && nodes > 0 &&
         nodes <= kNodesMax && c.frame_payload_bytes > 0 && c.frame_payload_bytes <= 65536 &&
         c.record_bytes_max >= core::kRecordHeaderBytes && c.record_bytes_max <= kRingMax / 4 &&
         c.submit_window_bytes > 0 && c.submit_window_bytes <= kRingMax / 64 &&
         c.window_bytes >= c.frame_payload_bytes && c.window_bytes <= kRingMax / 4 &&
         c.window_frames <= 65536 && ring(c.log_bytes) && c.log_bytes >= log &&
         ring(c.stream_bytes) &&
         c.stream_bytes >= std::uint64_t{c.record_bytes_max} + c.submit_window_bytes;
}

/// A frame of the node's own words, not of records.
bool says(wire::FrameType type) noexcept {
  return type == wire::FrameType::Row || type == wire::FrameType::Nak ||
         type == wire::FrameType::RecoverNak;
}

}  // namespace

std::string_view to_string(StepKind kind) noexcept {
  switch (kind) {
    case StepKind::Report:
      return "report";
    case StepKind::Plan:
      return "plan";
    case StepKind::Install:
      return "install";
    case StepKind::Frame:
      return "frame";
    case StepKind::Time:
      return "time";
    case StepKind::Poll:
      return "poll";
    case StepKind::Freeze:
      return "freeze";
    case StepKind::Readers:
      return "readers";
    case StepKind::Reserve:
      return "reserve";
    case StepKind::Commit:
      return "commit";
    case StepKind::Cancel:
      return "cancel";
    case StepKind::Distrust:
      return "distrust";
  }
  return "?";
}

std::array<std::byte, kStepBytes> encode(const Step& step) noexcept {
  std::array<std::byte, kStepBytes> out;
  store_le<std::uint8_t>(out.data(), static_cast<std::uint8_t>(step.kind));
  store_le<std::uint8_t>(out.data() + 1, step.flag);
  store_le<std::uint16_t>(out.data() + 2, static_cast<std::uint16_t>(step.lane));
  store_le<std::uint32_t>(out.data() + 4, step.sender);
  store_le<std::uint64_t>(out.data() + 8, step.now);
  store_le<std::uint64_t>(out.data() + 16, step.position);
  store_le<std::uint64_t>(out.data() + 24, step.outcome);
  return out;
}

std::optional<Step> decode_step(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < kStepBytes) return std::nullopt;
  const Step step{.kind = static_cast<StepKind>(load_le<std::uint8_t>(bytes.data())),
                  .flag = load_le<std::uint8_t>(bytes.data() + 1),
                  .lane = static_cast<LaneId>(load_le<std::uint16_t>(bytes.data() + 2)),
                  .sender = load_le<std::uint32_t>(bytes.data() + 4),
                  .now = load_le<std::uint64_t>(bytes.data() + 8),
                  .position = load_le<std::uint64_t>(bytes.data() + 16),
                  .outcome = load_le<std::uint64_t>(bytes.data() + 24)};
  if (step.kind < StepKind::Report || step.kind > kLastStepKind) return std::nullopt;
  return step;
}

std::uint64_t outcome_of_report(std::span<const std::byte> encoded) noexcept {
  FieldsDigest digest;
  digest.blob(encoded);
  return digest.value();
}

std::uint64_t outcome_of(const core::Core& core, bool taken) noexcept {
  return core.digest() ^ (taken ? 1 : 0);
}

/// What a node says byte by byte; of records only where they lie: old ones are not on the tape.
std::uint64_t outcome_of(std::span<const core::TxItem> items) noexcept {
  FieldsDigest digest;
  for (const core::TxItem& item : items) {
    digest(item.type);
    digest(item.lane);
    digest(item.position);
    digest(item.to.kind);
    digest(item.to.peer);
    digest(item.payload.size());
    if (says(item.type)) digest.blob(item.payload);
  }
  return digest.value();
}

std::uint64_t outcome_of_install(const core::Core& core) noexcept {
  return core.digest() ^ core.install_digest();
}

void encode(const core::CoreConfig& config, std::size_t nodes, std::vector<std::byte>& out) {
  FieldsOut v(out);
  visit_config(config, v);
  v(static_cast<std::uint8_t>(nodes));
}

std::optional<Sizes> take_sizes(std::span<const std::byte>& bytes) {
  FieldsIn in(bytes);
  Sizes sizes;
  std::uint8_t nodes = 0;
  visit_config(sizes.config, in);
  in(nodes);
  sizes.nodes = nodes;
  if (!in.ok() || !sound(sizes.config, nodes)) return std::nullopt;
  bytes = in.rest();
  return sizes;
}

}  // namespace phalanx::tape
