// The quorum device's word: between the worker's report and the membership, which takes it with
// this node's ballot.

#include <algorithm>
#include <utility>

#include "controlplane/daemon/conductor.h"
#include "transport/wire/messages.h"

namespace phalanx::controlplane {
namespace {

/// How long a view change may wait for a device that is away.
constexpr TimeNs kAnswerLimit = 20 * kMillisecond;

}  // namespace

void Conductor::take_report(wire::Report report, TimeNs now) {
  held_.reset();
  quorum_.on_device({});  // Rule: what was granted to one attempt counts for no other.
  const quorum::NodeSet nodes = quorum_.nodes_of(membership_.attempt_members());
  held_ = Held{.report = std::move(report), .attempt = membership_.attempt(), .until = now};
  // Rule: nobody waits for the device where the nodes have a majority by themselves.
  if (!hooks_.ask || !quorum_.needs_device(nodes)) return release_report(false, now);
  held_->until = now + std::min(config_.dead_after, kAnswerLimit);
  hooks_.ask(device_.ask(held_->attempt, nodes, false));
  wake(wake_at_);
}

void Conductor::release_report(bool granted, TimeNs now) {
  Held held = *std::exchange(held_, std::nullopt);
  // Another attempt was promised meanwhile: the worker answers to that one as well.
  if (held.attempt != membership_.attempt()) return;
  if (granted) quorum_.on_device({.alive = true, .casts = true});
  held.report.ballot = quorum_.ballot(now);
  membership::Input input{.kind = membership::InputKind::Frozen, .now = now};
  wire::encode(held.report, input.bytes);
  step(input);
}

void Conductor::on_device(const wire::DeviceWord& answer, TimeNs now) {
  using Heard = quorum::DeviceLink::Heard;
  const Heard heard = device_.on_answer(answer);
  if (heard == Heard::Nothing) return;
  device_heard_ = now;
  if (heard == Heard::AskAgain) {
    if (hooks_.ask) hooks_.ask(*device_.again());
    return;
  }
  if (held_) return release_report(heard == Heard::Yes, now);
  // An answer that came too late for its attempt, or the answer to a probe: a new view asks anew.
  const bool lacks =
      !quorum_.outcome().quorate && quorum_.needs_device(quorum_.nodes_of(membership_.members()));
  if (heard == Heard::Yes && lacks) step({.kind = membership::InputKind::Renew, .now = now});
}

void Conductor::probe_device() {
  // Rule: "installed" is said only while no higher attempt was promised.
  if (!hooks_.ask || membership_.frozen() || membership_.view().is_none()) return;
  if (membership_.attempt() != membership_.view()) return;
  const quorum::NodeSet nodes = quorum_.nodes_of(membership_.members());
  if (quorum_.may_ask_device(nodes)) hooks_.ask(device_.ask(membership_.view(), nodes, true));
}

void Conductor::wake(TimeNs at) {
  wake_at_ = at;
  hooks_.wake(held_ ? std::min(at, held_->until) : at);
}

}  // namespace phalanx::controlplane
