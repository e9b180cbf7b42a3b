#include "transport/wire/key_table.h"

#include <algorithm>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::wire {

KeyTable::KeyTable(Config config, ClusterKey key)
    : config_(std::move(config)), key_(std::move(key)) {
  static_assert(kSlots >= 2 * kNodesMax * (2 + kBootsPerNode));
  PHX_CHECK(config_.self.node != 0 && config_.lanes >= 1 && config_.lanes <= kLanesMax);
  PHX_CHECK(config_.nodes.size() <= kNodesMax);
  const DerivedKey boot = derive_boot_key(key_, config_.self);
  own_boot_ = AeadKey(config_.cipher, boot.secret);
  own_boot_tag_ = boot.tag;
}

void KeyTable::install(const ViewId& view, std::span<const Member> members) {
  PHX_CHECK(!view.is_none());
  if (view == view_) return;  // The same key goes on, and so does its counter.
  drop(KeyUse::View);
  if (view == next_view_) {
    for (auto& entry : keys_) {
      if (entry->use == KeyUse::NextView) entry->use = KeyUse::View;
    }
  } else {
    drop(KeyUse::NextView);
    add_view_keys(view, members, KeyUse::View);
  }
  next_view_ = {};
  view_ = view;
  const DerivedKey own = derive_view_key(key_, view, config_.self);
  own_view_ = AeadKey(config_.cipher, own.secret);
  own_view_tag_ = own.tag;
  index_again();
}

void KeyTable::prepare(const ViewId& view, std::span<const Member> members) {
  if (view == next_view_ || view == view_) return;
  drop(KeyUse::NextView);
  add_view_keys(view, members, KeyUse::NextView);
  next_view_ = view;
  index_again();
}

void KeyTable::begin_turn(TimeNs now) noexcept {
  if (now < refilled_at_ + kGuessesPeriod) return;
  guesses_left_ = kGuesses;
  refilled_at_ = now;
}

PeerKey* KeyTable::guess_boot(const Member& sender, std::uint32_t tag) {
  if (guesses_left_ == 0 || !is_configured(sender.node)) return nullptr;
  --guesses_left_;
  const DerivedKey derived = derive_boot_key(key_, sender);
  if (derived.tag != tag) return nullptr;
  guess_ = std::make_unique<PeerKey>(make(sender, derived, KeyUse::Boot));
  return guess_.get();
}

// A replayed frame of an old incarnation can be learnt once more. It takes the place that was
// unused for longest, and never that of a member: with kBootsPerNode there is always another.
PeerKey* KeyTable::learn_guess() {
  PHX_CHECK(guess_ != nullptr);
  PeerKey* const learnt = guess_.get();
  std::size_t same_node = 0;
  const auto is_member = [&](const Member& peer) {
    return std::any_of(keys_.begin(), keys_.end(), [&](const auto& entry) {
      return entry->use != KeyUse::Boot && entry->peer == peer;
    });
  };
  auto oldest = keys_.end();
  for (auto it = keys_.begin(); it != keys_.end(); ++it) {
    if ((*it)->use != KeyUse::Boot || (*it)->peer.node != learnt->peer.node) continue;
    ++same_node;
    if (is_member((*it)->peer)) continue;
    if (oldest == keys_.end() || (*it)->used_at < (*oldest)->used_at) oldest = it;
  }
  learnt->used_at = ++clock_;
  if (same_node >= kBootsPerNode) {
    *oldest = std::move(guess_);
  } else {
    keys_.push_back(std::move(guess_));
  }
  index_again();
  return learnt;
}

bool KeyTable::is_configured(NodeId node) const noexcept {
  return std::find(config_.nodes.begin(), config_.nodes.end(), node) != config_.nodes.end();
}

PeerKey* KeyTable::find(NodeId sender, std::uint32_t tag, bool boot) noexcept {
  for (std::size_t slot = slot_of(sender, tag); slots_[slot] != nullptr;
       slot = (slot + 1) % kSlots) {
    PeerKey* const entry = slots_[slot];
    if (entry->peer.node == sender && entry->tag == tag && (entry->use == KeyUse::Boot) == boot) {
      return entry;
    }
  }
  return nullptr;
}

void KeyTable::add_view_keys(const ViewId& view, std::span<const Member> members, KeyUse use) {
  PHX_CHECK(members.size() <= kNodesMax);
  for (const Member& member : members) {
    if (member.node == config_.self.node) continue;
    keys_.push_back(
        std::make_unique<PeerKey>(make(member, derive_view_key(key_, view, member), use)));
  }
}

void KeyTable::drop(KeyUse use) {
  std::erase_if(keys_, [use](const auto& entry) { return entry->use == use; });
}

void KeyTable::index_again() noexcept {
  slots_.fill(nullptr);
  for (const auto& entry : keys_) {
    std::size_t slot = slot_of(entry->peer.node, entry->tag);
    while (slots_[slot] != nullptr) slot = (slot + 1) % kSlots;
    slots_[slot] = entry.get();
  }
}

PeerKey KeyTable::make(const Member& peer, const DerivedKey& key, KeyUse use) const {
  return {.peer = peer,
          .tag = key.tag,
          .use = use,
          .key = AeadKey(config_.cipher, key.secret),
          .windows = std::vector<ReplayWindow>(config_.lanes)};
}

}  // namespace phalanx::wire
