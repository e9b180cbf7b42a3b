#pragma once

#include <cstdint>
#include <span>

#include "dataplane/core/core.h"
#include "tests/sim/checkers/checkers.h"
#include "tests/sim/checkers/facts.h"
#include "transport/wire/header.h"

namespace phalanx::sim {

/// The onlooker: told what every node does at its outside (accepts from clients, puts on the wire,
/// takes from it, delivers), keeps the facts and asks one checker a guarantee. Nodes never see it.
class Observer {
 public:
  Observer(LaneId lanes, std::uint32_t window_bytes, std::uint32_t window_frames);

  Incarnation on_boot(Member member);
  void on_crash(Incarnation who) { facts_.incarnations[who].alive = false; }
  /// This node's state file was lost or is old: it may use low sequences again.
  void on_lost_disk(NodeId node) { views_.on_lost_disk(node); }

  /// A client's record was accepted; the reader's place is noted as its causal past.
  void on_submit(Incarnation who, LaneId lane, Submission submission);
  /// A data or control frame was sealed.
  void on_seal(Incarnation who, std::uint64_t key, std::uint32_t space, std::uint64_t counter) {
    nonces_.on_seal(facts_, who, key, space, counter);
  }
  /// A frame was opened by a node that refuses replays.
  void on_open(Incarnation who, std::uint64_t key, std::uint32_t space, std::uint64_t counter) {
    nonces_.on_open(facts_, who, key, space, counter);
  }
  /// A data frame leaves, sealed for this node's installed view.
  void on_send(Incarnation who, const wire::FrameHeader& header,
               std::span<const std::byte> payload);
  /// The core took a frame of its installed view.
  void on_accept(Incarnation who, const wire::FrameHeader& header, std::size_t payload_bytes);
  void on_install(Incarnation who, const wire::Plan& plan, bool quorate = false,
                  const wire::Amendment& votes = {});
  void on_deliver(Incarnation who, LaneId lane, const core::LocalRecord& record);
  void at_end() { SelfDelivery::at_end(facts_); }

  [[nodiscard]] const Facts& facts() const noexcept { return facts_; }
  /// What histories reached, so that a recipe that never gets to its subject shows.
  struct Coverage {
    std::uint64_t handovers = 0;
    std::uint64_t pads = 0;
    std::uint64_t joint_passages = 0;  ///< Readers that crossed with others of their set.
    std::uint64_t late_records = 0;    ///< Delivered in transitional parts.
    std::uint64_t group_states = 0;    ///< With something in them.
  };
  [[nodiscard]] const Coverage& coverage() const noexcept { return coverage_; }
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  /// Mixes everything delivered, in order: equal for equal histories.
  [[nodiscard]] std::uint64_t history_hash() const noexcept { return history_hash_; }

 private:
  void append_log(LaneLog& log, ViewIndex view, LaneId lane, Position position,
                  std::span<const std::byte> payload);
  void parse_log(LaneLog& log, ViewIndex view, LaneId lane);
  void note_sent(Incarnation origin, LaneId lane, ViewIndex view, Position from, Position to);
  void deliver_record(Incarnation who, LaneId lane, const core::LocalRecord& record);
  void deliver_view(Incarnation who, LaneId lane, std::span<const std::byte> payload);
  void apply(Reader& reader, const Delivery& delivery);
  void apply_group(Reader& reader, const Delivery& delivery);

  Facts facts_;
  Views views_;
  Bounds bounds_;
  Nonces nonces_;
  Quorate quorate_;
  Coverage coverage_;
  std::uint64_t delivered_ = 0;
  std::uint64_t history_hash_ = 0;
};

}  // namespace phalanx::sim
