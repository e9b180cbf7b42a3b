#include "dataplane/worker/worker.h"
#include "ipc/base/bytes.h"

namespace phalanx::worker {
namespace {

constexpr std::size_t kCommandsATurn = 16;

shm::Event refusal_of(const shm::Command& command) {
  return {.kind = shm::WorkerEventKind::Refused,
          .token = static_cast<std::uint32_t>(command.kind),
          .view = command.attempt};
}

}  // namespace

std::size_t Worker::take_commands(TimeNs now) {
  std::size_t taken = 0;
  while (taken < kCommandsATurn && control_.has_command() && (crew_ == nullptr || !crew_->busy())) {
    if (const std::optional<shm::Command> command = control_.take_command()) execute(*command, now);
    ++taken;
  }
  return taken;
}

void Worker::answer(const shm::Event& event) {
  if (crew_ == nullptr) {
    control_.post(event);
  } else {
    crew_->answer(event);
  }
}

/// To the other workers. False: nobody does it, and the control plane was told so.
bool Worker::relay(const shm::Command& command) {
  ViewId attempt = command.attempt;
  const bool installs = command.kind == shm::CommandKind::Install;
  if (command.kind == shm::CommandKind::SendControl) return true;  // By this one alone.
  if (installs || command.kind == shm::CommandKind::BeginRecovery) {
    const auto plan = wire::decode_plan(command.bytes);
    if (plan) attempt = plan->attempt;
    // Some would install it, and some could not.
    if (!plan || (installs && attempt != core_.view() && !crew_->recovered(attempt))) {
      control_.count(shm::Counter::CommandsBad, 1);
      control_.post(refusal_of(command));
      return false;
    }
  }
  crew_->order(command, attempt);
  return true;
}

void Worker::execute(const shm::Command& command, TimeNs now) {
  if (crew_ != nullptr && !relay(command)) return;
  switch (command.kind) {
    case shm::CommandKind::SendControl:
      frames_.send_control(static_cast<wire::MessageKind>(command.message_kind), command.to,
                           command.bytes);
      break;
    case shm::CommandKind::Freeze: {
      tape_.freeze(core_, now);
      for (LaneId id = share_.first; id < share_.lanes; id += share_.step) {
        recorder_.note(
            recorder::Kind::Frozen,
            {.lane = id, .view = command.attempt.sequence, .a = core_.lane_status(id).received});
      }
      answer({.kind = shm::WorkerEventKind::Frozen,
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
  recovering_key_ = plan->key_id;
  if (is_first()) recorder_.note(recorder::Kind::RecoveryBegan, {.view = plan->attempt.sequence});
  status_.recovering = plan->attempt;
  status_.recovered = 0;
  publish_status(now);
}

/// Tells the control plane once that this node holds the cut and all tails of its attempt.
void Worker::report_recovered(TimeNs now) {
  if (status_.recovering.is_none() || status_.recovered != 0 || !core_.recovered()) return;
  status_.recovered = 1;
  recorder_.note(recorder::Kind::Recovered, {.view = status_.recovering.sequence});
  answer({.kind = shm::WorkerEventKind::Recovered, .view = status_.recovering});
  publish_status(now);
}

void Worker::install(const shm::Command& command, TimeNs now) {
  const auto plan = wire::decode_plan(command.bytes);
  if (plan && plan->attempt == core_.view()) {
    // Asked again by a control plane whose predecessor died with the answer in its hands.
    answer({.kind = shm::WorkerEventKind::Installed, .view = plan->attempt});
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
  if (is_first()) {
    recorder_.note(recorder::Kind::Installed,
                   {.view = plan->attempt.sequence, .a = set, .b = command.token != 0 ? 1U : 0U});
  }
  transport_.set_members(nodes);
  status_.recovering = {};
  status_.recovered = 0;
  if (is_first()) control_.count(shm::Counter::ViewsInstalled, 1);
  answer({.kind = shm::WorkerEventKind::Installed, .view = plan->attempt});
  publish_status(now);
}

/// The control plane waits for an answer: it would wait out the deadline of its attempt.
void Worker::refuse(const shm::Command& command) {
  control_.count(shm::Counter::CommandsBad, 1);
  recorder_.note(recorder::Kind::Refused,
                 {.view = command.attempt.sequence, .a = static_cast<std::uint64_t>(command.kind)});
  answer(refusal_of(command));
}

void Worker::list_groups(std::uint32_t token) {
  shm::Event event{.kind = shm::WorkerEventKind::Groups, .token = token};
  event.bytes.resize(4);
  std::uint32_t count = 0;
  for (LaneId id = share_.first; id < share_.lanes; id += share_.step) {
    count += delivery_.groups(id).list(id, event.bytes, shm::kControlMessageBytesMax - 128);
  }
  store_le<std::uint32_t>(event.bytes.data(), count);
  answer(event);
}

}  // namespace phalanx::worker
