#include "dataplane/core/core.h"

#include <algorithm>

#include "dataplane/core/core_impl.h"

namespace phalanx::core {

Core::Core(const CoreConfig& config, std::span<const LaneMemory> memory)
    : impl_(std::make_unique<Impl>()) {
  const LaneShare share = config.share();
  PHX_CHECK(config.self != 0 && share.is_sound() && share.count() == memory.size() &&
            config.frame_payload_bytes > 0 && config.window_bytes >= config.frame_payload_bytes);
  impl_->config = config;
  for (LaneId id = share.first; id < share.lanes; id += share.step) {
    const LaneMemory& lent = memory[impl_->lanes.size()];
    impl_->lanes.push_back(std::make_unique<Lane>(impl_->config, id, lent, impl_->view));
    impl_->by_id[id] = impl_->lanes.back().get();
  }
}

Core::~Core() = default;

Placement Core::place(const wire::FrameHeader& header, std::size_t payload_bytes) const noexcept {
  const Lane* const lane = impl_->find(header.lane);
  if (lane == nullptr) [[unlikely]]
    return {Verdict::Malformed, nullptr};
  const std::size_t rank = impl_->view.rank_of(header.sender);
  if (rank == ViewInfo::kNone || rank == impl_->view.self) return {Verdict::NotMember, nullptr};
  return lane->place(header, rank, payload_bytes);
}

Verdict Core::accept(const wire::FrameHeader& header, std::span<const std::byte> payload,
                     TimeNs now) noexcept {
  Lane* const lane = impl_->find(header.lane);
  if (lane == nullptr) [[unlikely]]
    return Verdict::Malformed;
  const std::size_t rank = impl_->view.rank_of(header.sender);
  if (rank == ViewInfo::kNone || rank == impl_->view.self) return Verdict::NotMember;
  return lane->accept(header, rank, payload, now);
}

std::byte* Core::reserve(LaneId lane, std::uint32_t payload_bytes) noexcept {
  return impl_->lane(lane).reserve(payload_bytes);
}

std::byte* Core::reserved(LaneId lane) const noexcept { return impl_->lane(lane).reserved(); }

void Core::cancel(LaneId lane) noexcept { impl_->lane(lane).cancel(); }

void Core::commit(LaneId lane, const RecordHeader& header) noexcept {
  impl_->lane(lane).commit(header);
}

bool Core::append(LaneId lane, const AppMessage& message) noexcept {
  return impl_->lane(lane).append(message);
}

LocalReader& Core::reader(LaneId lane) noexcept { return impl_->lane(lane).reader(); }

void Core::on_time(TimeNs now) noexcept {
  for (auto& lane : impl_->lanes) lane->on_time(now);
}

std::size_t Core::poll_tx(std::span<TxItem> out, TimeNs now) noexcept {
  std::size_t n = 0;
  for (auto& lane : impl_->lanes) n += lane->poll_tx(out.subspan(n), now);
  return n;
}

TimeNs Core::wake_at() const noexcept {
  TimeNs at = kNever;
  for (const auto& lane : impl_->lanes) at = std::min(at, lane->wake_at());
  return at;
}

void Core::freeze() noexcept {
  impl_->frozen = true;
  for (auto& lane : impl_->lanes) lane->freeze();
}

wire::Report Core::report(const ViewId& attempt) {
  PHX_CHECK(impl_->frozen);
  // What is reported for another attempt must stay as it is until that one's plan: the recovery of
  // an older plan ends here.
  if (impl_->planned && impl_->attempt != attempt) {
    impl_->planned = false;
    for (auto& lane : impl_->lanes) lane->end_recovery();
  }
  wire::Report report{.attempt = attempt, .old_view = impl_->view.id, .lanes = {}};
  for (const auto& lane : impl_->lanes) report.lanes.push_back(lane->report());
  return report;
}

bool Core::begin_recovery(const wire::Plan& plan, TimeNs now) {
  Impl& core = *impl_;
  PHX_CHECK(core.frozen);
  // A restarted control plane asks again. The others may have installed already, and send no tail
  // a second time: what came is kept.
  if (core.planned && core.attempt == plan.attempt) return true;
  const bool bases_fit = plan.stream_bases.size() == plan.members.size() * core.config.lanes;
  const bool contains_self = std::binary_search(plan.members.begin(), plan.members.end(),
                                                Member{core.config.self, core.config.boot});
  if (!bases_fit || !contains_self) return false;
  const bool from_nothing = core.view.id.is_none();
  if (!from_nothing) {
    const auto set = std::find_if(plan.sets.begin(), plan.sets.end(),
                                  [&](const auto& s) { return s.old_view == core.view.id; });
    if (set == plan.sets.end() || set->lanes.size() != core.config.lanes) return false;
    for (auto& lane : core.lanes) {
      if (!lane->accepts(*set)) return false;
    }
    for (auto& lane : core.lanes) lane->begin_recovery(*set, now);
  }
  core.from_nothing = from_nothing;
  core.attempt = plan.attempt;
  core.planned = true;
  return true;
}

bool Core::recovered() const noexcept {
  if (!impl_->planned) return false;
  return impl_->from_nothing || std::all_of(impl_->lanes.begin(), impl_->lanes.end(),
                                            [](const auto& l) { return l->recovered(); });
}

void Core::install(const wire::Plan& plan, TimeNs now, bool quorate) {
  Impl& core = *impl_;
  PHX_CHECK(recovered() && core.attempt == plan.attempt &&
            plan.attempt.sequence > core.view.id.sequence);
  ViewRecord record{.view = plan.attempt, .quorate = quorate, .members = {}};
  for (const Member& member : plan.members)
    record.members.push_back({member, member.node == core.config.self});
  if (!core.from_nothing) {
    for (auto& lane : core.lanes) lane->finish_old_view();
    const auto set = std::find_if(plan.sets.begin(), plan.sets.end(),
                                  [&](const auto& s) { return s.old_view == core.view.id; });
    for (auto& entry : record.members) {
      entry.transitional =
          std::binary_search(set->members.begin(), set->members.end(), entry.member);
    }
  }
  ViewInfo& view = core.view;
  view.id = plan.attempt;
  view.count = plan.members.size();
  std::copy(plan.members.begin(), plan.members.end(), view.entries.begin());
  view.self = view.rank_of(core.config.self);
  core.frozen = core.planned = false;
  const std::span bases{plan.stream_bases};
  for (auto& lane : core.lanes) {
    lane->install(bases.subspan(lane->id() * view.count, view.count), record, now);
  }
}

const ViewId& Core::view() const noexcept { return impl_->view.id; }
std::span<const Member> Core::members() const noexcept { return impl_->view.members(); }
bool Core::frozen() const noexcept { return impl_->frozen; }
NodeId Core::orderer(LaneId lane) const noexcept { return impl_->lane(lane).orderer(); }

TimeNs Core::last_heard(NodeId member, LaneId lane) const noexcept {
  const std::size_t rank = impl_->view.rank_of(member);
  return rank == ViewInfo::kNone ? 0 : impl_->lane(lane).last_heard(rank);
}

TimeNs Core::last_progress(NodeId member, LaneId lane) const noexcept {
  const std::size_t rank = impl_->view.rank_of(member);
  return rank == ViewInfo::kNone ? 0 : impl_->lane(lane).last_progress(rank);
}

bool Core::distrusts_itself(NodeId member) const noexcept {
  const std::size_t rank = impl_->view.rank_of(member);
  if (rank == ViewInfo::kNone) return false;
  return std::any_of(impl_->lanes.begin(), impl_->lanes.end(),
                     [&](const auto& l) { return l->peer_distrusts_itself(rank); });
}

void Core::set_distrust(bool distrusts) noexcept {
  for (auto& lane : impl_->lanes) lane->set_distrust(distrusts);
}

LaneStatus Core::lane_status(LaneId lane) const noexcept { return impl_->lane(lane).status(); }

}  // namespace phalanx::core
