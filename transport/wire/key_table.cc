#include "transport/wire/key_table.h"

#include <algorithm>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::wire {

KeyTable::KeyTable(Config config, ClusterKey key, std::optional<ClusterKey> next)
    : config_(std::move(config)), current_(make_held(std::move(key))) {
  static_assert(kSlots >= 2 * kNodesMax * (2 + 2 * kBootsPerNode));
  PHX_CHECK(config_.self.node != 0 && config_.lanes >= 1 && config_.lanes <= kLanesMax);
  PHX_CHECK(config_.nodes.size() <= kNodesMax);
  PHX_CHECK(!next || next->id > current_.key.id);
  if (next) next_ = make_held(std::move(*next));
}

KeyTable::Held KeyTable::make_held(ClusterKey key) const {
  const DerivedKey boot = derive_boot_key(key, config_.self);
  return {.key = std::move(key),
          .own_boot = AeadKey(config_.cipher, boot.secret),
          .own_boot_tag = boot.tag};
}

void KeyTable::hold(ClusterKey key, std::optional<ClusterKey> next) {
  PHX_CHECK(!next || next->id > key.id);
  const auto stays = [&](std::uint32_t id) {
    const ClusterKey* const now = id == key.id ? &key : next && id == next->id ? &*next : nullptr;
    return now != nullptr && now->secret == key_of(id).secret;
  };
  guess_.reset();
  std::erase_if(keys_, [&](const auto& entry) {
    return entry->use == KeyUse::Boot && !stays(entry->key_id);
  });
  index_again();
  current_ = make_held(std::move(key));
  next_.reset();
  if (next) next_ = make_held(std::move(*next));
}

bool KeyTable::holds(std::uint32_t key_id) const noexcept {
  return current_.key.id == key_id || (next_ && next_->key.id == key_id);
}

const ClusterKey& KeyTable::key_of(std::uint32_t id) const noexcept {
  PHX_CHECK(holds(id));
  return current_.key.id == id ? current_.key : next_->key;
}

// Never the older one again, whatever is replayed: who ever used the next key has it for good. A
// peer that was not heard holds what this node began with, or will say otherwise in its hello.
KeyTable::SealKey KeyTable::boot_seal(const BootId& receiver) const noexcept {
  const bool has_next = next_ && std::any_of(keys_.begin(), keys_.end(), [&](const auto& entry) {
                          return entry->use == KeyUse::Boot && entry->peer.boot == receiver &&
                                 entry->key_id == next_->key.id;
                        });
  return has_next ? next_->seal() : current_.seal();
}

void KeyTable::install(const ViewId& view, std::span<const Member> members, std::uint32_t key_id) {
  PHX_CHECK(!view.is_none());
  if (view == view_) return;  // The same key goes on, and so does its counter.
  drop(KeyUse::View);
  if (view == next_view_) {
    for (auto& entry : keys_) {
      if (entry->use == KeyUse::NextView) entry->use = KeyUse::View;
    }
  } else {
    drop(KeyUse::NextView);
    add_view_keys(view, members, key_id, KeyUse::View);
  }
  next_view_ = {};
  view_ = view;
  const DerivedKey own = derive_view_key(key_of(key_id), view, config_.self);
  own_view_ = AeadKey(config_.cipher, own.secret);
  own_view_tag_ = own.tag;
  view_key_id_ = key_id;
  index_again();
}

void KeyTable::prepare(const ViewId& view, std::span<const Member> members, std::uint32_t key_id) {
  if (view == next_view_ || view == view_) return;
  drop(KeyUse::NextView);
  add_view_keys(view, members, key_id, KeyUse::NextView);
  next_view_ = view;
  index_again();
}

void KeyTable::begin_turn(TimeNs now) noexcept {
  if (now < refilled_at_ + kGuessesPeriod) return;
  guesses_left_ = kGuesses;
  refilled_at_ = now;
}

PeerKey* KeyTable::guess_boot(const Member& sender, std::uint32_t tag, std::uint8_t key_id) {
  if (!is_configured(sender.node)) return nullptr;
  for (std::size_t which = 0; which < held(); ++which) {
    const ClusterKey& key = which == 0 ? current_.key : next_->key;
    if (static_cast<std::uint8_t>(key.id) != key_id || guesses_left_ == 0) continue;
    --guesses_left_;
    const DerivedKey derived = derive_boot_key(key, sender);
    if (derived.tag != tag) continue;
    guess_ = std::make_unique<PeerKey>(make(sender, derived, key.id, KeyUse::Boot));
    return guess_.get();
  }
  return nullptr;
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
  if (same_node >= kBootsPerNode * held()) {
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

void KeyTable::add_view_keys(const ViewId& view, std::span<const Member> members,
                             std::uint32_t key_id, KeyUse use) {
  PHX_CHECK(members.size() <= kNodesMax);
  const ClusterKey& key = key_of(key_id);
  for (const Member& member : members) {
    if (member.node == config_.self.node) continue;
    keys_.push_back(
        std::make_unique<PeerKey>(make(member, derive_view_key(key, view, member), key_id, use)));
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

PeerKey KeyTable::make(const Member& peer, const DerivedKey& key, std::uint32_t key_id,
                       KeyUse use) const {
  return {.peer = peer,
          .tag = key.tag,
          .key_id = key_id,
          .use = use,
          .key = AeadKey(config_.cipher, key.secret),
          .windows = std::vector<ReplayWindow>(config_.lanes)};
}

}  // namespace phalanx::wire
