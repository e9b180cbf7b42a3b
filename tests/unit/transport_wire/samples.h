#pragma once

#include "transport/wire/messages.h"

/// One message of each kind with every field set, for round trips, golden bytes and corpora.
namespace phalanx::wire::samples {

inline BootId boot(std::uint8_t fill) {
  BootId id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(fill + i);
  }
  return id;
}

inline std::vector<Member> members() { return {{1, boot(16)}, {2, boot(32)}, {5, boot(80)}}; }
inline ViewId view(std::uint64_t sequence) { return {sequence, 1, boot(16)}; }

inline Hello hello() {
  return {.view = view(7),
          .view_members = 3,
          .sequence_seen = 1 << 20,
          .config_hash = 0x1122334455667788,
          .key_id_highest = 3,
          .leaving = true,
          .attempt_running = true,
          .heard = members()};
}

inline Prepare prepare() { return {.attempt = view(8), .key_id = 3, .members = members()}; }

inline Refusal refusal() { return {.attempt = view(8), .sequence_seen = 9}; }

inline Ballot ballot() {
  return {.device_votes = 1,
          .forgotten = true,
          .settled = {6, 3},
          .open = {{7, 7}, {7, 8}},
          .amendment = {.revision = 5, .expected = 4, .votes = {2, 1, 0}},
          .order = {.kind = Order::Kind::Votes, .index = 2, .number = 3}};
}

inline Report report() {
  const LaneReport lane{.received = 4096,
                        .delivered = 4000,
                        .stable = 3000,
                        .stream_base = 100,
                        .stream_end = 900,
                        .held = {{5000, 6000}, {7000, 8000}}};
  return {
      .attempt = view(8), .old_view = view(7), .lanes = {lane, LaneReport{}}, .ballot = ballot()};
}

inline Plan plan() {
  const std::vector<Member> all = members();
  TransitionalSet survivors{.old_view = view(7), .members = {all[0], all[1]}, .lanes = {}};
  survivors.lanes.push_back({.cut = 6000,
                             .regular = 4000,
                             .streams = {{100, 900}, {0, 640}},
                             .holdings = {{{4096, 5000}, 2}, {{5000, 6000}, 1}}});
  survivors.lanes.push_back({.cut = 0, .regular = 0, .streams = {{0, 0}, {0, 0}}, .holdings = {}});
  return {.attempt = view(8),
          .key_id = 3,
          .members = all,
          .stream_bases = {900, 640, 0, 0, 0, 0},
          .sets = {survivors},
          .ballots = {ballot(), Ballot{}, Ballot{}}};
}

inline Done done() { return {.attempt = view(8)}; }

}  // namespace phalanx::wire::samples
