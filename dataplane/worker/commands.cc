#include "dataplane/worker/worker.h"
#include "ipc/base/bytes.h"

namespace phalanx::worker {
namespace {

constexpr std::size_t kCommandsATurn = 16;

}  // namespace

std::size_t Worker::take_commands(TimeNs now) {
  std::size_t taken = 0;
  while (taken < kCommandsATurn && control_.has_command()) {
    if (const std::optional<shm::Command> command = control_.take_command()) execute(*command, now);
    ++taken;
  }
  return taken;
}

void Worker::execute(const shm::Command& command, TimeNs now) {
  switch (command.kind) {
    case shm::CommandKind::SendControl:
      frames_.send_control(static_cast<wire::MessageKind>(command.message_kind), command.to,
                           command.bytes);
      break;
    case shm::CommandKind::Freeze: {
      tape_.freeze(core_, now);
      for (LaneId id = 0; id < config_.lanes; ++id) {
        recorder_.note(
            recorder::Kind::Frozen,
            {.lane = id, .view = command.attempt.sequence, .a = core_.lane_status(id).received});
      }
      control_.post({.kind = shm::WorkerEventKind::Frozen,
                     .view = command.attempt,
                     .bytes = tape_.report(core_, command.attempt, now)});
      publish_status(now);
      break;
    }
    case shm::CommandKind::BeginRecovery:
      begin_recovery(command, now);
      break;
    case shm::CommandKind::Install:
      install(command, now);
      break;
    case shm::CommandKind::ListGroups:
      list_groups(command.token);
      break;
    case shm::CommandKind::Tune:
      if (const auto tuning = shm::decode_tuning(command.bytes)) {
        config_.dead_after = tuning->dead_after;
        delivery_.tune(*tuning);
      } else {
        control_.count(shm::Counter::CommandsBad, 1);
      }
      break;
  }
}

void Worker::begin_recovery(const shm::Command& command, TimeNs now) {
  const auto plan = wire::decode_plan(command.bytes);
  if (!plan || !core_.frozen() || !keys_.holds(plan->key_id)) return refuse(command);
  if (!tape_.begin_recovery(core_, *plan, command.bytes, now)) return refuse(command);
  keys_.prepare(plan->attempt, plan->members, plan->key_id);
  recorder_.note(recorder::Kind::RecoveryBegan, {.view = plan->attempt.sequence});
  status_.recovering = plan->attempt;
  status_.recovered = 0;
  publish_status(now);
}

/// Tells the control plane once that this node holds the cut and all tails of its attempt.
void Worker::report_recovered(TimeNs now) {
  if (status_.recovering.is_none() || status_.recovered != 0 || !core_.recovered()) return;
  status_.recovered = 1;
  recorder_.note(recorder::Kind::Recovered, {.view = status_.recovering.sequence});
  control_.post({.kind = shm::WorkerEventKind::Recovered, .view = status_.recovering});
  publish_status(now);
}

void Worker::install(const shm::Command& command, TimeNs now) {
  const auto plan = wire::decode_plan(command.bytes);
  if (plan && plan->attempt == core_.view()) {
    // Asked again by a control plane whose predecessor died with the answer in its hands.
    control_.post({.kind = shm::WorkerEventKind::Installed, .view = plan->attempt});
    return;
  }
  if (!plan || !core_.frozen() || !core_.recovered() || plan->attempt != status_.recovering ||
      plan->attempt.sequence <= core_.view().sequence || !keys_.holds(plan->key_id)) {
    return refuse(command);
  }
  tape_.install(core_, *plan, command.bytes, now, command.token != 0);
  keys_.install(plan->attempt, plan->members, plan->key_id);
  std::vector<NodeId> nodes;
  std::uint64_t set = 0;
  for (const Member& member : plan->members) {
    nodes.push_back(member.node);
    set |= recorder_.bit_of(member.node);
  }
  recorder_.note(recorder::Kind::Installed,
                 {.view = plan->attempt.sequence, .a = set, .b = command.token != 0 ? 1U : 0U});
  transport_.set_members(nodes);
  status_.recovering = {};
  status_.recovered = 0;
  control_.count(shm::Counter::ViewsInstalled, 1);
  control_.post({.kind = shm::WorkerEventKind::Installed, .view = plan->attempt});
  publish_status(now);
}

/// The control plane waits for an answer: it would wait out the deadline of its attempt.
void Worker::refuse(const shm::Command& command) {
  control_.count(shm::Counter::CommandsBad, 1);
  recorder_.note(recorder::Kind::Refused,
                 {.view = command.attempt.sequence, .a = static_cast<std::uint64_t>(command.kind)});
  control_.post({.kind = shm::WorkerEventKind::Refused,
                 .token = static_cast<std::uint32_t>(command.kind),
                 .view = command.attempt});
}

void Worker::list_groups(std::uint32_t token) {
  shm::Event event{.kind = shm::WorkerEventKind::Groups, .token = token};
  event.bytes.resize(4);
  std::uint32_t count = 0;
  for (LaneId id = 0; id < config_.lanes; ++id) {
    count += delivery_.groups(id).list(event.bytes, shm::kControlMessageBytesMax - 128);
  }
  store_le<std::uint32_t>(event.bytes.data(), count);
  control_.post(event);
}

}  // namespace phalanx::worker
