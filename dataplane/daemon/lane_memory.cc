#include "dataplane/daemon/lane_memory.h"

#include <algorithm>
#include <bit>
#include <string>

#include "transport/wire/header.h"

namespace phalanx::dataplane {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kHugePageBytes = 2u << 20;
constexpr std::uint32_t kWindowFramesMin = 8;
constexpr std::uint32_t kWindowFramesMax = 4096;

}  // namespace

Expected<core::CoreConfig, Error> core_config(const config::Config& config, const BootId& boot,
                                              const transport::TransportLimits& limits) {
  const auto nodes = static_cast<std::uint32_t>(config.cluster.nodes.size());
  core::CoreConfig out{.self = config.node.id,
                       .boot = boot,
                       .lanes = config.cluster.lanes,
                       .frame_payload_bytes = limits.frame_bytes_max -
                                              static_cast<std::uint32_t>(wire::kOverheadBytes)};
  out.frame_payload_bytes &= ~7U;  // Frames end between words, so that copies stay aligned.
  out.record_bytes_max = static_cast<std::uint32_t>(core::record_bytes(config.cluster.max_message));
  out.log_bytes = config.lane.log;
  out.submit_window_bytes = config.lane.submit_window;
  out.window_bytes = config.lane.window;
  out.stream_bytes = std::bit_ceil(std::uint64_t{out.record_bytes_max} + out.submit_window_bytes);
  // Rule: ordered window, all submit windows and four control frames a node fit the receive ring.
  const std::uint32_t ring = limits.rx_ring_frames / config.cluster.lanes;
  const std::uint32_t data = ring > 4 * nodes ? ring - 4 * nodes : 0;
  out.window_frames = std::clamp(data / (nodes + 1), kWindowFramesMin, kWindowFramesMax);
  if (data / (nodes + 1) < kWindowFramesMin) {
    return fail(
        Error{.code = ExitCode::Usage,
              .attempted = "cannot fit the windows of " + std::to_string(nodes) + " nodes and " +
                           std::to_string(config.cluster.lanes) + " lanes into the receive ring",
              .observed = "it takes " + std::to_string(limits.rx_ring_frames) + " frames",
              .remedy = "raise transport.receive_buffer, and net.core.rmem_max when not root"});
  }
  const std::uint64_t need = 2 * std::uint64_t{out.record_bytes_max} + out.window_bytes +
                             std::uint64_t{nodes} * out.submit_window_bytes + core::kInstallBytes;
  if (out.log_bytes < need) {
    return fail(Error{
        .code = ExitCode::Usage,
        .attempted = "cannot use lane.log = " + std::to_string(out.log_bytes) + " bytes",
        .observed = "two messages of cluster.max_message, lane.window and lane.submit_window of " +
                    std::to_string(nodes) + " nodes need " + std::to_string(need),
        .remedy = "set lane.log to at least " + std::to_string(std::bit_ceil(need)) +
                  " bytes, or lower the others"});
  }
  return out;
}

Expected<core::RingMemory, Error> LaneRings::add(const char* name, std::uint64_t bytes_min) {
  const std::uint64_t bytes = std::bit_ceil(std::max(bytes_min, kPageBytes));
  const bool huge = bytes % kHugePageBytes == 0;
  auto ring = shm::MirroredRing::create(bytes, {.name = name, .hugetlb = huge, .prefault = false});
  if (!ring) return fail(std::move(ring.error()));
  rings_.push_back(std::move(*ring));
  return core::RingMemory{rings_.back().data(), bytes};
}

Expected<LaneRings, Error> LaneRings::create(const core::CoreConfig& config, std::size_t nodes) {
  LaneRings out;
  for (LaneId lane = 0; lane < config.lanes; ++lane) {
    core::LaneMemory memory;
    const std::uint64_t staging =
        std::uint64_t{config.record_bytes_max} + config.submit_window_bytes;
    struct Part {
      core::RingMemory* ring;
      const char* name;
      std::uint64_t bytes;
    };
    memory.origins.resize(nodes);
    std::vector<Part> parts = {{&memory.log, "phalanx-log", config.log_bytes},
                               {&memory.stream, "phalanx-stream", config.stream_bytes},
                               {&memory.staging, "phalanx-staging", staging}};
    for (core::RingMemory& origin : memory.origins) {
      parts.push_back({&origin, "phalanx-origin", config.submit_window_bytes});
    }
    for (const Part& part : parts) {
      auto ring = out.add(part.name, part.bytes);
      if (!ring) return fail(std::move(ring.error()));
      *part.ring = *ring;
    }
    out.lanes_.push_back(std::move(memory));
  }
  return out;
}

}  // namespace phalanx::dataplane
