#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/core/core.h"
#include "dataplane/tape/core_tape.h"
#include "dataplane/worker/gather_memory.h"
#include "ipc/recorder/recorder.h"
#include "ipc/shm/control_channel.h"
#include "transport/transport.h"
#include "transport/wire/fragments.h"
#include "transport/wire/frame_seal.h"
#include "transport/wire/key_table.h"

namespace phalanx::worker {

/// Frames in: check, place, open, accept. Frames out: what the core wants sent, sealed into the
/// transport's buffers; the cipher pass is the copy, both ways, but for payloads that the transport
/// gathers from where they lie. Control messages pass through whole. The worker's thread only.
class Frames {
 public:
  Frames(core::Core& core, transport::Transport& transport, wire::KeyTable& keys,
         shm::ControlWorkerEnd& control, recorder::Recorder& recorder, tape::CoreTape& tape,
         bool takes_control = true, const GatherMemory* gathers = nullptr);

  /// Takes what has come, bounded by `bursts_max` bursts. Returns the frames taken.
  std::size_t receive(TimeNs now, std::size_t bursts_max) noexcept;
  /// Seals and sends what the core has to send. Returns the frames sent.
  std::size_t send(TimeNs now) noexcept;

  /// Sends a control message to each of `to`, or as a hello to every configured node when it is
  /// empty.
  void send_control(wire::MessageKind kind, std::span<const Member> to,
                    std::span<const std::byte> message);

  /// Requests for lost frames since start: what the wire to a peer, or a lane, loses.
  struct Losses {
    std::uint64_t naks_sent = 0;
    std::uint64_t naks_heard = 0;
  };
  [[nodiscard]] Losses losses(NodeId peer) const noexcept;
  [[nodiscard]] Losses lane_losses(LaneId lane) const noexcept { return lane_losses_[lane]; }

  /// Data frames (not rows or control) in or out since the last call: what keeps a worker awake.
  [[nodiscard]] bool take_data_seen() noexcept {
    const bool seen = data_seen_;
    data_seen_ = false;
    return seen;
  }

 private:
  static constexpr std::size_t kBurst = 64;

  void take(const transport::RxFrame& received, TimeNs now) noexcept;
  void probe_links(const core::TxItem& row) noexcept;
  [[nodiscard]] bool is_gathered(const core::TxItem& item) const noexcept {
    return gathers_ != nullptr && gathers_->has(item);
  }
  void seal(const core::TxItem& item, transport::TxFrame& frame) noexcept;
  std::size_t poll(std::size_t room, TimeNs now) noexcept;
  void take_data(wire::CheckedFrame& frame, const transport::RxFrame& received,
                 TimeNs now) noexcept;
  void take_control(wire::CheckedFrame& frame, const transport::RxFrame& received);
  void send_fragments(wire::MessageKind kind, const transport::Destination& to,
                      const BootId& receiver, const wire::KeyTable::SealKey& with,
                      std::span<const std::byte> message);
  void note_nak(NodeId peer, LaneId lane, std::uint64_t Losses::*which) noexcept;
  void record_nak(recorder::Kind kind, LaneId lane, NodeId node,
                  std::span<const std::byte> payload) noexcept;
  void count(shm::Counter counter, std::uint64_t add = 1) noexcept { control_.count(counter, add); }

  core::Core& core_;
  transport::Transport& transport_;
  wire::KeyTable& keys_;
  shm::ControlWorkerEnd& control_;
  recorder::Recorder& recorder_;
  tape::CoreTape& tape_;
  bool takes_control_;           ///< Control frames are the first worker's.
  const GatherMemory* gathers_;  ///< nullptr: every payload is copied.
  wire::FrameSealer sealer_;
  wire::FrameOpener opener_;
  wire::Reassembler reassembler_;
  std::array<transport::RxFrame, kBurst> rx_{};
  std::array<transport::TxFrame, kBurst> tx_{};
  std::array<core::TxItem, kBurst> items_{};
  std::vector<std::byte> scratch_;  ///< Opened payloads that may not go straight into a log.
  std::vector<std::byte> fragment_;
  std::uint32_t next_message_ = 1;
  bool data_seen_ = false;
  std::size_t sent_before_ = 0;  ///< Frames, by the last send().
  bool several_links_;
  struct PeerLosses {
    NodeId node = 0;  ///< 0: unused.
    Losses losses;
  };
  std::array<PeerLosses, kNodesMax> peer_losses_{};
  std::array<Losses, kLanesMax> lane_losses_{};
};

}  // namespace phalanx::worker
