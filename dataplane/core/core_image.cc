// What a core decides from, as bytes and back (lane_image.cc has a lane's part).

#include <algorithm>

#include "dataplane/core/core_impl.h"
#include "dataplane/core/lane.h"

namespace phalanx::core {
namespace {

void visit(auto& view_id, auto& v) requires requires { view_id.representative; }
{
  v(view_id.sequence);
  v(view_id.representative);
  v(view_id.boot);
}

}  // namespace

bool Core::at_rest() const noexcept {
  return !impl_->planned &&
         std::ranges::all_of(impl_->lanes, [](const auto& lane) { return lane->at_rest(); });
}

std::size_t Core::image_bytes() const noexcept {
  FieldsCount v;
  for (const Member& member : impl_->view.members()) {
    v(member.node);
    v(member.boot);
  }
  visit(impl_->view.id, v);
  std::size_t bytes = v.bytes() + 2;
  for (const auto& lane : impl_->lanes) bytes += lane->image_bytes();
  return bytes;
}

void Core::image(std::vector<std::byte>& out) const {
  PHX_CHECK(at_rest());
  FieldsOut v(out);
  const ViewInfo& view = impl_->view;
  visit(view.id, v);
  v(static_cast<std::uint8_t>(view.count));
  for (const Member& member : view.members()) {
    v(member.node);
    v(member.boot);
  }
  v(impl_->frozen);
  for (const auto& lane : impl_->lanes) lane->image(out);
}

bool Core::restore(std::span<const std::byte> image) {
  FieldsIn in(image);
  ViewInfo& view = impl_->view;
  std::uint8_t count = 0;
  visit(view.id, in);
  in(count);
  if (!in.require(count <= kNodesMax)) return false;
  view.count = count;
  for (std::size_t i = 0; i < count; ++i) {
    in(view.entries[i].node);
    in(view.entries[i].boot);
    in.require(i == 0 || view.entries[i - 1].node < view.entries[i].node);
  }
  in(impl_->frozen);
  view.self = view.rank_of(impl_->config.self);
  if (!in.require(view.id.is_none() == (view.self == ViewInfo::kNone))) return false;
  for (auto& lane : impl_->lanes) {
    if (!lane->restore(in) || lane->frozen() != impl_->frozen) return false;
  }
  return in.finished();
}

std::uint64_t Core::digest() const noexcept {
  FieldsDigest digest;
  for (const auto& lane : impl_->lanes) lane->digest(digest);
  return digest.value();
}

std::uint64_t Core::install_digest() const noexcept {
  FieldsDigest digest;
  for (const auto& lane : impl_->lanes) lane->install_digest(digest);
  return digest.value();
}

bool Core::turn_matters(TimeNs now) const noexcept {
  return std::ranges::any_of(impl_->lanes,
                             [&](const auto& lane) { return lane->turn_matters(now); });
}

std::uint64_t Core::reader_at(LaneId lane) const noexcept {
  return impl_->lane(lane).reader().at();
}

bool Core::set_reader_at(LaneId lane, std::uint64_t at) noexcept {
  return impl_->lane(lane).set_reader_at(at);
}

}  // namespace phalanx::core
