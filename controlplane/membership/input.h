#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/membership/membership.h"

namespace phalanx::membership {

/// Which call of Membership. Numbers are part of a tape's layout.
enum class InputKind : std::uint8_t {
  Start = 1,
  Restore,    ///< bytes: the snapshot.
  Message,    ///< from, message, bytes.
  Frozen,     ///< bytes: an encoded report.
  Recovered,  ///< view.
  Installed,  ///< view.
  Refused,    ///< view.
  Dead,       ///< from.
  CutOff,     ///< from.
  OwnLink,    ///< up.
  Vouch,      ///< from.node.
  Seen,       ///< seen.
  Time,
  Renew,
  Leave,
  Retime,  ///< bytes: the times.
  Rekey,   ///< bytes: the ids.
};
[[nodiscard]] std::string_view to_string(InputKind kind) noexcept;

/// One call of a Membership as plain data, so that it can be kept and made again.
struct Input {
  InputKind kind = InputKind::Time;
  TimeNs now = 0;
  Member from;
  wire::MessageKind message = wire::MessageKind::Hello;
  bool up = false;
  ViewId view;
  std::vector<PeerSeen> seen;
  std::vector<std::byte> bytes;

  friend bool operator==(const Input&, const Input&) = default;
};

[[nodiscard]] Input retimed(const Times& times, TimeNs now);
[[nodiscard]] Input rekeyed(const KeyIds& keys, TimeNs now);

/// Makes the call: the same function where it happens and where it is replayed. Empty where
/// restore() is, and for a report that cannot be decoded.
[[nodiscard]] std::optional<Actions> apply(Membership& membership, const Input& input);

void encode(const Input& input, std::vector<std::byte>& out);
/// Empty unless every byte is right.
[[nodiscard]] std::optional<Input> decode_input(std::span<const std::byte> bytes);

/// What came of a call, short enough to be kept with each: two that are equal decided the same.
struct Outcome {
  std::uint8_t did = 0;  ///< Bits: 1 freeze, 2 recover, 4 install, 8 reserve, 128 refused it.
  std::uint32_t sends = 0;
  TimeNs wake_at = 0;
  std::uint64_t attempt = 0;  ///< Sequence afterwards.
  std::uint64_t view = 0;     ///< Likewise.
  std::uint64_t digest = 0;   ///< Over all of the actions, each byte of each message included.

  friend bool operator==(const Outcome&, const Outcome&) = default;
};
[[nodiscard]] Outcome outcome_of(const std::optional<Actions>& actions,
                                 const Membership& membership);
void encode(const Outcome& outcome, std::vector<std::byte>& out);
[[nodiscard]] std::optional<Outcome> decode_outcome(std::span<const std::byte> bytes);
/// "freeze install, 3 messages, attempt 8, view 7, wakes at 12345".
[[nodiscard]] std::string text_of(const Outcome& outcome);

}  // namespace phalanx::membership
