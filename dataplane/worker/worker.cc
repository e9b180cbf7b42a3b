#include "dataplane/worker/worker.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "dataplane/worker/new_keys.h"
#include "ipc/base/assert.h"
#include "ipc/base/bytes.h"
#include "ipc/shm/barrier.h"

namespace phalanx::worker {
namespace {

shm::LaneMap lane_map(const WorkerConfig& config) {
  shm::LaneMap map;
  PHX_CHECK(map.assign(config.lanes, config.mapped));
  return map;
}

constexpr std::size_t kBurstsATurn = 4;
constexpr std::size_t kBurstsAfterPause = 256;
constexpr TimeNs kStatusInterval = 500 * kMicrosecond;
constexpr TimeNs kGapWorthNoting = 1 * kMillisecond;
constexpr TimeNs kSleepMax =
    10 * kMillisecond;  // So old is the status that others judge this worker by.

}  // namespace

Worker::Worker(const WorkerConfig& config, const WorkerParts& parts)
    : config_(config),
      core_(parts.core),
      transport_(parts.transport),
      keys_(parts.keys),
      control_(parts.control),
      mailbox_(parts.mailbox),
      recorder_(parts.recorder != nullptr ? *parts.recorder : no_recorder_),
      tape_(parts.tape != nullptr ? *parts.tape : no_tape_),
      crew_(parts.crew),
      share_(config.share()),
      ports_(parts.mailbox, parts.control, recorder_),
      submissions_(
          {.share = config.share(),
           .lanes = lane_map(config),
           .message_bytes_max = config.message_bytes_max,
           .group_state_bytes_max =
               config.record_bytes_max - static_cast<std::uint32_t>(core::kRecordHeaderBytes) - 8},
          core_, tape_, ports_, mailbox_, control_),
      delivery_(config.self, config.share(), config.slow_clients, core_, ports_, submissions_,
                control_, parts.shared_log),
      frames_(core_, transport_, keys_, control_, recorder_, tape_, config.index == 0,
              parts.gathers),
      notes_(config.share(), core_, control_, recorder_) {
  PHX_CHECK(share_.is_sound() && (crew_ != nullptr) == (is_first() && config.workers > 1));
}

std::size_t Worker::poll_once(TimeNs now) noexcept {
  notice_pause(now);
  if (worked_) control_.count(shm::Counter::BusyNs, now - turn_at_);

  // Receive before submit: what the group has ordered already goes ahead of new work.
  const std::size_t received = frames_.receive(now, kBurstsATurn);
  if (mailbox_.has_order()) [[unlikely]]
    take_orders();
  std::size_t commands = control_.has_command() ? take_commands(now) : 0;
  if (crew_ != nullptr) [[unlikely]]
    commands += crew_->turn();

  const std::size_t submitted = submissions_.take_turn();  // client rings -> stream or log
  tape_.on_time(core_, now);  // rows, NAKs: pure state, nothing is sent here
  const std::size_t delivered = delivery_.deliver_turn(now);  // log -> client rings
  const std::size_t sent = frames_.send(now);                 // what the core wants sent -> frames

  if (!status_.recovering.is_none()) [[unlikely]]
    report_recovered(now);
  control_.ring_if_needed();
  mailbox_.ring_if_needed();
  if (now - status_.written_at >= kStatusInterval) publish_status(now);

  const std::size_t work = received + commands + submitted + delivered + sent;
  busy_ = frames_.take_data_seen() || submitted + delivered + commands > 0 || busy_;
  control_.count(shm::Counter::Turns, 1);
  if (work == 0) control_.count(shm::Counter::IdleTurns, 1);
  worked_ = work > 0;
  turn_at_ = expected_ = now;
  return work;
}

// Rule: a worker that was itself descheduled empties its queue before it orders, delivers or
// accuses, and says so in its rows.
void Worker::notice_pause(TimeNs now) noexcept {
  const TimeNs pause = expected_ != 0 && now > expected_ ? now - expected_ : 0;
  gap_ = std::max(gap_, pause);
  if (pause >= kGapWorthNoting) [[unlikely]]
    recorder_.note(recorder::Kind::Gap, {.view = status_.view.sequence, .a = pause});
  if (pause > config_.dead_after / 2) [[unlikely]] {
    frames_.receive(now, kBurstsAfterPause);
    tape_.set_distrust(core_, true);
    recorder_.note(recorder::Kind::Distrusted, {.view = status_.view.sequence, .a = pause});
    distrust_until_ = now + config_.dead_after;
    const auto pause_ms = static_cast<std::uint32_t>(pause / kMillisecond);
    control_.count(shm::Counter::DistrustedMs, pause_ms);
    control_.post({.kind = shm::WorkerEventKind::Distrust, .token = pause_ms});
  } else if (distrust_until_ != 0 && now >= distrust_until_) [[unlikely]] {
    tape_.set_distrust(core_, false);
    distrust_until_ = 0;
  }
}

void Worker::take_orders() noexcept {
  WorkerOrder order;
  while (mailbox_.take(order)) {
    switch (order.kind) {
      case WorkerOrder::Kind::NewKeys:
        take_keys(*std::unique_ptr<NewKeys>(order.keys));
        break;
      case WorkerOrder::Kind::AddClient:
        add_client(*order.port);
        break;
      case WorkerOrder::Kind::ClientGone:
        client_gone(*order.port);
        break;
      case WorkerOrder::Kind::Evict:
        evict_client(*order.port);
        break;
    }
  }
}

void Worker::add_client(ClientPort& port) noexcept {
  ports_.add(port);
  delivery_.greet(port);
  if (!is_first()) return;
  recorder_.note(recorder::Kind::ClientAttached, {.a = port.id, .b = port.pid, .c = port.uid});
  control_.count(shm::Counter::ClientsAttached, 1);
  control_.post({.kind = shm::WorkerEventKind::ClientAttached,
                 .client = port.id,
                 .pid = port.pid,
                 .uid = port.uid,
                 .gid = port.gid});
}

void Worker::client_gone(ClientPort& port) noexcept {
  delivery_.forget(port);
  submissions_.hung_up(port);
  if (!is_first()) return;
  recorder_.note(recorder::Kind::ClientGone, {.a = port.id});
  control_.count(shm::Counter::ClientsDetached, 1);
  control_.post({.kind = shm::WorkerEventKind::ClientDetached, .client = port.id});
}

/// Another worker has evicted it: it leaves the groups of all lanes for one reason.
void Worker::evict_client(ClientPort& port) noexcept {
  if (port.state != ClientPort::State::Attached) return;
  delivery_.put_out(port);
  submissions_.leave_all(port, core::LeaveReason::Evicted);
}

/// Never without the key that the view was agreed on with, nor without that of the one which is
/// being made: the files may be ahead of this node. So an install finds its key at every worker or
/// at none, whenever each of them was told of new ones.
void Worker::take_keys(NewKeys& fresh) {
  if (fresh.ring && keys_.has_view() && !fresh.ring->holds(keys_.view_seal().key_id)) {
    fresh.ring.reset();
    fresh.text = "the key in use is not in its files any more";
  }
  if (fresh.ring && !status_.recovering.is_none() && !fresh.ring->holds(recovering_key_)) {
    fresh.ring.reset();
    fresh.text = "the key of a view that is being made is not in its files any more";
  }
  const bool taken = fresh.ring.has_value();
  if (taken) keys_.hold(std::move(fresh.ring->current), std::move(fresh.ring->next));
  const auto text = std::as_bytes(std::span(fresh.text));
  answer({.kind = shm::WorkerEventKind::KeysHeld,
          .token = taken ? 1U : 0U,
          .bytes = {text.begin(), text.end()}});
}

bool Worker::arm(TimeNs now, TimeNs& until) noexcept {
  until = std::min({core_.wake_at(), delivery_.wake_at(), now + kSleepMax});
  if (until <= now) return false;
  bool fences = false;
  for (ClientPort* port : ports_.all()) {
    port->channel.set_worker_sleeping(true);
    fences = fences || port->channel.fences();
  }
  bool waits = control_.arm() || mailbox_.arm_worker() || (crew_ != nullptr && crew_->arm()) ||
               submissions_.something_waits();
  if (!waits && fences) {  // It interrupts others: not for what can be seen without.
    shm::barrier_everywhere(true);
    waits = submissions_.something_waits();
  }
  if (waits || !transport_.arm_wait()) {
    disarm();
    return false;
  }
  publish_status(now);
  control_.count(shm::Counter::Sleeps, 1);
  expected_ = until;
  return true;
}

void Worker::disarm() noexcept {
  for (ClientPort* port : ports_.all()) port->channel.set_worker_sleeping(false);
  control_.disarm();
  mailbox_.disarm_worker();
  if (crew_ != nullptr) crew_->disarm();
}

}  // namespace phalanx::worker
