#include "controlplane/membership/input.h"

#include "ipc/base/bytes.h"
#include "transport/wire/codec.h"

namespace phalanx::membership {
namespace {

constexpr std::size_t kSeenBytes = 4 + 8 + 8 + 1;
constexpr std::uint8_t kFreeze = 1;
constexpr std::uint8_t kRecover = 2;
constexpr std::uint8_t kInstall = 4;
constexpr std::uint8_t kReserve = 8;
constexpr std::uint8_t kNothing = 128;

/// Finds a difference, not a forger.
class Digest {
 public:
  void add(std::uint64_t word) noexcept {
    sum_ = (sum_ ^ word) * 0x9fb21c651e98df25;
    sum_ ^= sum_ >> 32;
  }
  void add(std::span<const std::byte> bytes) noexcept {
    add(bytes.size());
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) add(load_le<std::uint64_t>(bytes.data()));
    for (const std::byte byte : bytes) add(std::to_integer<std::uint64_t>(byte));
  }
  [[nodiscard]] std::uint64_t sum() const noexcept { return sum_; }

 private:
  std::uint64_t sum_ = 0xcbf29ce484222325;
};

void add(Digest& digest, const wire::Plan& plan) {
  std::vector<std::byte> bytes;
  wire::encode(plan, bytes);
  digest.add(bytes);
}

void add(Digest& digest, const Send& send) {
  std::vector<std::byte> head;
  wire::Writer to(head);
  to.put(static_cast<std::uint8_t>(send.to));
  to.put(send.node);
  to.put(send.boot);
  to.put(std::span<const Member>(send.members));
  to.put(static_cast<std::uint8_t>(send.kind));
  digest.add(head);
  digest.add(send.bytes);
}

std::optional<Times> decode_times(std::span<const std::byte> bytes) {
  wire::Reader from(bytes);
  Times times;
  for (TimeNs* time : {&times.dead_after, &times.stall_after, &times.hold_min, &times.hold_max}) {
    *time = from.take<std::uint64_t>();
  }
  if (!from.finished() || !times.sound()) return std::nullopt;
  return times;
}

std::optional<KeyIds> decode_key_ids(std::span<const std::byte> bytes) {
  wire::Reader from(bytes);
  KeyIds keys;
  for (std::uint32_t* id : {&keys.lowest, &keys.highest, &keys.next}) {
    *id = from.take<std::uint32_t>();
  }
  if (!from.finished() || !keys.sound()) return std::nullopt;
  return keys;
}

}  // namespace

Input retimed(const Times& times, TimeNs now) {
  Input input{.kind = InputKind::Retime, .now = now};
  wire::Writer to(input.bytes);
  for (const TimeNs time : {times.dead_after, times.stall_after, times.hold_min, times.hold_max}) {
    to.put(time);
  }
  return input;
}

Input rekeyed(const KeyIds& keys, TimeNs now) {
  Input input{.kind = InputKind::Rekey, .now = now};
  wire::Writer to(input.bytes);
  for (const std::uint32_t id : {keys.lowest, keys.highest, keys.next}) to.put(id);
  return input;
}

std::string_view to_string(InputKind kind) noexcept {
  switch (kind) {
    case InputKind::Start:
      return "start";
    case InputKind::Restore:
      return "restore";
    case InputKind::Message:
      return "message";
    case InputKind::Frozen:
      return "frozen";
    case InputKind::Recovered:
      return "recovered";
    case InputKind::Installed:
      return "installed";
    case InputKind::Refused:
      return "refused";
    case InputKind::Dead:
      return "dead";
    case InputKind::CutOff:
      return "cut-off";
    case InputKind::OwnLink:
      return "own-link";
    case InputKind::Vouch:
      return "vouch";
    case InputKind::Seen:
      return "seen";
    case InputKind::Time:
      return "time";
    case InputKind::Renew:
      return "renew";
    case InputKind::Leave:
      return "leave";
    case InputKind::Retime:
      return "retime";
    case InputKind::Rekey:
      return "rekey";
  }
  return "corrupt";
}

std::optional<Actions> apply(Membership& membership, const Input& input) {
  switch (input.kind) {
    case InputKind::Start:
      return membership.start(input.now);
    case InputKind::Restore:
      return membership.restore(input.bytes, input.now);
    case InputKind::Message:
      return membership.on_message(input.from, input.message, input.bytes, input.now);
    case InputKind::Frozen:
      if (const auto report = wire::decode_report(input.bytes)) {
        return membership.on_frozen(*report, input.now);
      }
      return std::nullopt;
    case InputKind::Recovered:
      return membership.on_recovered(input.view, input.now);
    case InputKind::Installed:
      return membership.on_installed(input.view, input.now);
    case InputKind::Refused:
      return membership.on_refused(input.view, input.now);
    case InputKind::Dead:
      return membership.on_dead(input.from, input.now);
    case InputKind::CutOff:
      return membership.on_cut_off(input.from, input.now);
    case InputKind::OwnLink:
      return membership.on_own_link(input.up, input.now);
    case InputKind::Vouch:
      return membership.on_vouch(input.from.node, input.now);
    case InputKind::Seen:
      return membership.on_seen(input.seen, input.now);
    case InputKind::Time:
      return membership.on_time(input.now);
    case InputKind::Renew:
      return membership.renew(input.now);
    case InputKind::Leave:
      return membership.leave(input.now);
    case InputKind::Retime:
      if (const auto times = decode_times(input.bytes)) {
        return membership.retime(*times, input.now);
      }
      return std::nullopt;
    case InputKind::Rekey:
      if (const auto keys = decode_key_ids(input.bytes)) {
        return membership.rekey(*keys, input.now);
      }
      return std::nullopt;
  }
  return std::nullopt;
}

void encode(const Input& input, std::vector<std::byte>& out) {
  wire::Writer to(out);
  to.put(static_cast<std::uint8_t>(input.kind));
  to.put(input.now);
  to.put(input.from.node);
  to.put(input.from.boot);
  to.put(static_cast<std::uint8_t>(input.message));
  to.put(static_cast<std::uint8_t>(input.up ? 1 : 0));
  to.put(input.view);
  to.put(static_cast<std::uint8_t>(input.seen.size()));
  for (const PeerSeen& seen : input.seen) {
    to.put(seen.node);
    to.put(seen.heard);
    to.put(seen.progressed);
    to.put(static_cast<std::uint8_t>(seen.distrusts_itself ? 1 : 0));
  }
  out.insert(out.end(), input.bytes.begin(), input.bytes.end());
}

std::optional<Input> decode_input(std::span<const std::byte> bytes) {
  constexpr std::size_t kFixed = 1 + 8 + 20 + 1 + 1 + 28 + 1;
  wire::Reader from(bytes);
  Input input;
  const auto kind = from.take<std::uint8_t>();
  input.kind = static_cast<InputKind>(kind);
  input.now = from.take<std::uint64_t>();
  input.from.node = from.take<std::uint32_t>();
  input.from.boot = from.take_boot();
  input.message = static_cast<wire::MessageKind>(from.take<std::uint8_t>());
  input.up = from.take<std::uint8_t>() != 0;
  input.view = from.take_view();
  input.seen.resize(from.take_count<std::uint8_t>(kNodesMax + 1, kSeenBytes));
  for (PeerSeen& seen : input.seen) {
    seen.node = from.take<std::uint32_t>();
    seen.heard = from.take<std::uint64_t>();
    seen.progressed = from.take<std::uint64_t>();
    seen.distrusts_itself = from.take<std::uint8_t>() != 0;
  }
  from.require(kind >= 1 && kind <= static_cast<std::uint8_t>(InputKind::Rekey));
  if (!from.ok()) return std::nullopt;
  const auto rest = bytes.subspan(kFixed + input.seen.size() * kSeenBytes);
  input.bytes.assign(rest.begin(), rest.end());
  return input;
}

Outcome outcome_of(const std::optional<Actions>& actions, const Membership& membership) {
  Outcome outcome{.attempt = membership.attempt().sequence, .view = membership.view().sequence};
  if (!actions) {
    outcome.did = kNothing;
    return outcome;
  }
  Digest digest;
  if (actions->freeze) outcome.did |= kFreeze;
  if (actions->recover) outcome.did |= kRecover;
  if (actions->install) outcome.did |= kInstall;
  if (actions->reserve_sequence) outcome.did |= kReserve;
  digest.add(actions->reserve_sequence.value_or(0));
  if (actions->recover) add(digest, *actions->recover);
  if (actions->install) add(digest, *actions->install);
  for (const Send& send : actions->sends) add(digest, send);
  outcome.sends = static_cast<std::uint32_t>(actions->sends.size());
  outcome.wake_at = actions->wake_at;
  outcome.digest = digest.sum();
  return outcome;
}

void encode(const Outcome& outcome, std::vector<std::byte>& out) {
  wire::Writer to(out);
  to.put(outcome.did);
  to.put(outcome.sends);
  for (const std::uint64_t number :
       {outcome.wake_at, outcome.attempt, outcome.view, outcome.digest}) {
    to.put(number);
  }
}

std::optional<Outcome> decode_outcome(std::span<const std::byte> bytes) {
  wire::Reader from(bytes);
  Outcome outcome;
  outcome.did = from.take<std::uint8_t>();
  outcome.sends = from.take<std::uint32_t>();
  outcome.wake_at = from.take<std::uint64_t>();
  outcome.attempt = from.take<std::uint64_t>();
  outcome.view = from.take<std::uint64_t>();
  outcome.digest = from.take<std::uint64_t>();
  if (!from.finished()) return std::nullopt;
  return outcome;
}

std::string text_of(const Outcome& outcome) {
  std::string text;
  if ((outcome.did & kNothing) != 0) text += "refused ";
  if ((outcome.did & kFreeze) != 0) text += "freeze ";
  if ((outcome.did & kRecover) != 0) text += "recover ";
  if ((outcome.did & kInstall) != 0) text += "install ";
  if ((outcome.did & kReserve) != 0) text += "reserve ";
  if (text.empty()) text = "nothing ";
  text.back() = ',';
  text += " " + std::to_string(outcome.sends) + " messages, attempt " +
          std::to_string(outcome.attempt) + ", view " + std::to_string(outcome.view);
  return text + (outcome.wake_at == kNever ? ", no wake-up"
                                           : ", wakes at " + std::to_string(outcome.wake_at));
}

}  // namespace phalanx::membership
