#include "dataplane/daemon/lane_memory.h"

#include <algorithm>
#include <bit>
#include <string>

#include "transport/wire/header.h"

namespace phalanx::dataplane {
namespace {

constexpr std::uint32_t kWindowFramesMin = 8;
constexpr std::uint32_t kWindowFramesMax = 4096;

}  // namespace

Expected<core::CoreConfig, Error> core_config(const config::Config& config, const BootId& boot,
                                              const transport::TransportLimits& limits,
                                              std::size_t worker) {
  const auto nodes = static_cast<std::uint32_t>(config.cluster.nodes.size());
  core::CoreConfig out{.self = config.node.id,
                       .boot = boot,
                       .lanes = config.cluster.lanes,
                       .first_lane = static_cast<LaneId>(worker),
                       .lane_step = static_cast<LaneId>(config.worker.count),
                       .frame_payload_bytes = limits.frame_bytes_max -
                                              static_cast<std::uint32_t>(wire::kOverheadBytes)};
  out.frame_payload_bytes &= ~7U;  // Frames end between words, so that copies stay aligned.
  out.record_bytes_max = static_cast<std::uint32_t>(core::record_bytes(config.cluster.max_message));
  out.log_bytes = config.lane.log;
  out.submit_window_bytes = config.lane.submit_window;
  out.window_bytes = config.lane.window;
  out.stream_bytes = std::bit_ceil(std::uint64_t{out.record_bytes_max} + out.submit_window_bytes);
  // Rule: ordered window, all submit windows and four control frames a node fit the receive ring.
  const std::uint32_t ring = limits.rx_ring_frames / out.share().count();
  const std::uint32_t data = ring > 4 * nodes ? ring - 4 * nodes : 0;
  out.window_frames = std::clamp(data / (nodes + 1), kWindowFramesMin, kWindowFramesMax);
  if (data / (nodes + 1) < kWindowFramesMin) {
    return fail(
        Error{.code = ExitCode::Usage,
              .attempted = "cannot fit the windows of " + std::to_string(nodes) + " nodes and " +
                           std::to_string(out.share().count()) + " lanes into the receive ring",
              .observed = "it takes " + std::to_string(limits.rx_ring_frames) + " frames",
              .remedy = "raise transport.receive_buffer (net.core.rmem_max when not root), or "
                        "transport.verbs.queue over verbs"});
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

}  // namespace phalanx::dataplane
