#include "tests/sim/replicated_app.h"

#include <algorithm>
#include <vector>

#include "ipc/base/bytes.h"
#include "tests/sim/payload.h"

namespace phalanx::sim {
namespace {

constexpr std::uint32_t kGroupNumber = 1'000'000;
constexpr ClientId kFirstClient = 100;
constexpr std::size_t kMessageBytesMax = 1000;

}  // namespace

replica::Options ReplicatedApp::options(const Scenario& scenario, NodeId node,
                                        std::uint64_t origin) {
  (void)node;
  return {.origin = origin,
          .write_quorum = scenario.seed % 2 == 0,
          .message_bytes_max = std::min<std::size_t>(kMessageBytesMax, scenario.message_bytes_max),
          .batch_bytes_max = 200,
          .chunk_bytes_max = 600,
          .chunks_in_flight_bytes_max = 2000,
          .pending_bytes_max = 1000,
          .history_bytes_max = scenario.seed % 4 == 3 ? 2000u : 1u << 20,
          .meeting_time = 50 * kMillisecond,
          .transfer_time = 100 * kMillisecond,
          .retry_time = 50 * kMillisecond};
}

replica::Host ReplicatedApp::host() {
  using App = ReplicatedApp;
  return {.context = this,
          .send =
              [](void* app, const iovec* parts, std::size_t count) {
                return static_cast<App*>(app)->submit({parts, count}, core::RecordKind::App);
              },
          .snapshot = [](void* app,
                         replica::Buffer& out) { return static_cast<App*>(app)->snapshot(out); },
          .restore = [](void* app, std::span<const std::byte> in, std::uint32_t,
                        bool initial) { return static_cast<App*>(app)->restore(in, initial); },
          .apply = [](void* app,
                      const replica::Operation& o) { return static_cast<App*>(app)->apply(o); },
          .merge =
              [](void* app, const replica::Operation& o) {
                ++static_cast<App*>(app)->checker_.coverage.merged;
                static_cast<App*>(app)->take(o);
                return true;
              },
          .answer =
              [](void* app, std::uint64_t ticket, replica::Outcome outcome, std::int64_t result) {
                static_cast<App*>(app)->answer(ticket, outcome, result);
              },
          .notice = [](void* app, const replica::Notice& n) { static_cast<App*>(app)->notice(n); }};
}

ReplicatedApp::ReplicatedApp(const Scenario& scenario, Replicated& checker, Trace& trace,
                             NodeId node, std::uint64_t seed)
    : checker_(checker),
      trace_(trace),
      node_(node),
      random_(seed),
      origin_(random_.next() | 1),
      replica_(options(scenario, node, origin_), host()),
      table_(node),
      left_(60) {
  checker_.on_born(&state_);
}

ReplicatedApp::~ReplicatedApp() { checker_.on_died(&state_); }

void ReplicatedApp::attach(TimeNs now) {
  attached_ = true;
  joined_ = false;
  client_ = client_ == 0 ? kFirstClient : client_ + 1;
  table_ = worker::GroupTable(node_);
  now_ = now;
  next_ = now + random_.below(10 * kMillisecond);
}

void ReplicatedApp::detach() {
  if (!attached_) return;
  attached_ = false;
  replica_.on_disconnected(now_);
}

void ReplicatedApp::deliver(const core::LocalRecord& record, TimeNs now) {
  now_ = now;
  const GroupId group = group_of(kGroupNumber);
  if (record.header.kind == core::RecordKind::App) {
    const auto local = table_.local_members(group);
    if (record.header.group == group &&
        std::find(local.begin(), local.end(), client_) != local.end()) {
      replica_.on_message({record.header.origin, record.header.client}, record.payload, now);
    }
    return;
  }
  changes_.clear();
  table_.apply(record, changes_);
  deliver_changes(now);
}

void ReplicatedApp::deliver_changes(TimeNs now) {
  if (changes_.transitional) replica_.on_transitional(now);
  if (changes_.view)
    replica_.on_node_view(changes_.view->view.sequence, changes_.view->quorate, now);
  const auto id = [](const worker::GroupMember& m) { return replica::MemberId{m.node, m.client}; };
  const replica::MemberId self{node_, client_};
  for (const worker::GroupEvent& event : changes_.groups) {
    if (event.group != group_of(kGroupNumber) ||
        std::find(event.recipients.begin(), event.recipients.end(), client_) ==
            event.recipients.end())
      continue;
    std::vector<replica::MemberId> members;
    std::vector<replica::MemberId> left;
    std::vector<replica::Joined> joined;
    for (const auto& m : event.members) members.push_back(id(m));
    for (const auto& change : event.left) left.push_back(id(change.member));
    for (const auto& change : event.joined) {
      joined.push_back({id(change.member), change.reason == worker::ChangeReason::NodeJoined});
    }
    replica_.on_group_view(self, members, left, joined, now);
  }
}

bool ReplicatedApp::submit(std::span<const iovec> parts, core::RecordKind kind) {
  if (core_ == nullptr || core_->reserved(0) != nullptr) return false;
  std::vector<std::byte> payload;
  for (const iovec& part : parts) {
    const auto* bytes = static_cast<const std::byte*>(part.iov_base);
    payload.insert(payload.end(), bytes, bytes + part.iov_len);
  }
  Submission next{.payload_bytes = static_cast<std::uint32_t>(payload.size()),
                  .kind = kind,
                  .flags = kind == core::RecordKind::App ? core::kRecordSafe : std::uint8_t{0},
                  .client = client_,
                  .group = group_of(kGroupNumber)};
  std::byte* room = tape_->reserve(*core_, 0, next.payload_bytes);
  if (room == nullptr) return false;
  std::copy(payload.begin(), payload.end(), room);
  tape_->commit(*core_, 0,
                {.payload_bytes = next.payload_bytes,
                 .kind = next.kind,
                 .flags = next.flags,
                 .client = next.client,
                 .group = next.group});
  next.opaque = kind == core::RecordKind::App;
  next.content = replica::hash_bytes(payload);
  next.position = core::decode_record_header(room - core::kRecordHeaderBytes).stream_position;
  observer_->on_submit(who_, 0, next);
  ++submitted_;
  return true;
}

std::size_t ReplicatedApp::turn(core::Core& core, tape::CoreTape& tape, Observer& observer,
                                Incarnation who, TimeNs now) {
  now_ = now;
  core_ = &core;
  tape_ = &tape;
  observer_ = &observer;
  who_ = who;
  submitted_ = 0;
  if (!joined_ && !core.view().is_none()) {
    std::vector<std::byte> payload(join_payload_bytes(group_of(kGroupNumber)));
    fill_payload(
        {.kind = core::RecordKind::Join, .client = client_, .group = group_of(kGroupNumber)},
        payload);
    const iovec part{.iov_base = payload.data(), .iov_len = payload.size()};
    joined_ = submit({&part, 1}, core::RecordKind::Join);
  }
  while (left_ > 0 && next_ <= now) {
    std::byte operation[40];
    const std::size_t bytes = 8 + random_.below(sizeof operation - 7);
    for (std::byte& byte : operation) byte = static_cast<std::byte>(random_.next());
    if (replica_.submit(std::span(operation).first(bytes), numbered_ + 1)) {
      ++numbered_;
      --left_;
    }
    next_ += 1 + random_.below(12 * kMillisecond);
  }
  replica_.on_time(now);
  replica_.pump();
  core_ = nullptr;
  return submitted_;
}

TimeNs ReplicatedApp::wake_at() const noexcept {
  return std::min(replica_.wake_at(), left_ > 0 ? next_ : kNever);
}

std::string ReplicatedApp::unfinished() const {
  const std::string name = "the replica of n" + std::to_string(node_);
  if (!attached_ || !replica_.live()) return name + " is not live";
  if (replica_.pending() != 0) return name + " has operations without an answer";
  return replica_.sends() ? name + " has to send" : std::string{};
}

bool ReplicatedApp::snapshot(replica::Buffer& out) {
  bool good = true;
  for (const auto& [origin, number] : state_.taken)
    good = good && out.put(origin) && out.put(number);
  const bool fails = random_.percent(5);
  if (fails) ++checker_.coverage.faults;
  return good && !fails;
}

bool ReplicatedApp::restore(std::span<const std::byte> in, bool initial) {
  state_.taken.clear();
  state_.valid = true;
  replica::BufferReader reader(in);
  while (!initial && !reader.rest().empty()) {
    const auto origin = reader.take<std::uint64_t>();
    state_.taken.emplace_back(origin, reader.take<std::uint64_t>());
  }
  if (!initial && random_.percent(5)) {  // It leaves rubbish behind.
    ++checker_.coverage.faults;
    state_.valid = false;
    return false;
  }
  return reader.good();
}

std::int64_t ReplicatedApp::apply(const replica::Operation& operation) {
  if (operation.bytes.empty() || (operation.bytes[0] & std::byte{7}) == std::byte{0}) return 1;
  take(operation);
  return 0;
}

void ReplicatedApp::take(const replica::Operation& operation) {
  const OperationId id{operation.origin, operation.number};
  checker_.on_take(state_, id);
  state_.taken.push_back(id);
}

void ReplicatedApp::answer(std::uint64_t ticket, replica::Outcome outcome, std::int64_t result) {
  // Tickets are numbers here: operations are answered in order and none is left out.
  const OperationId id{origin_, ticket};
  trace_.line(node_, "answer", "%llu %u %lld", static_cast<unsigned long long>(ticket),
              static_cast<unsigned>(outcome), static_cast<long long>(result));
  if (outcome == replica::Outcome::Done && result == 0) {
    checker_.on_acknowledged(id, replica_.quorate());
  } else if (outcome == replica::Outcome::NotQuorate || outcome == replica::Outcome::Full ||
             (outcome == replica::Outcome::Done && result != 0)) {
    checker_.on_refused(id);
  }
}

void ReplicatedApp::notice(const replica::Notice& notice) {
  trace_.line(node_, "replica", "event %u fault %u n%u %llu, state %zu of %llu digest %llx",
              static_cast<unsigned>(notice.event), static_cast<unsigned>(notice.fault),
              notice.who.node, static_cast<unsigned long long>(notice.count), state_.taken.size(),
              static_cast<unsigned long long>(replica_.operations()),
              static_cast<unsigned long long>(replica_.digest()));
  if (notice.event != replica::Event::Lost) return;
  ++checker_.coverage.lost_sides;
  checker_.on_lost_side();
}

}  // namespace phalanx::sim
