#include "controlplane/daemon/node_keys.h"

#include <algorithm>
#include <utility>

#include "controlplane/daemon/log.h"

namespace phalanx::controlplane {
namespace {

using security::KeyName;
using security::KeyState;
using Answer = security::Rotation::Answer;

constexpr std::size_t kFingerprintBytes = 16;

Answer no(std::string why) { return {.kind = Answer::Kind::No, .why = std::move(why)}; }

std::string text_of(const Error& error) { return error.attempted + ": " + error.observed; }

}  // namespace

KeyName name_of(const wire::ClusterKey& key) {
  return {.id = key.id, .fingerprint = wire::fingerprint(key)};
}

NodeKeys::NodeKeys(std::string file, wire::KeyRing ring, std::string trouble, Hooks hooks)
    : file_(std::move(file)),
      ring_(std::make_shared<const wire::KeyRing>(std::move(ring))),
      hooks_(std::move(hooks)),
      file_trouble_(std::move(trouble)),
      since_(hooks_.wall_s()) {
  if (!file_trouble_.empty()) log("admin").warn("{}", file_trouble_);
}

/// What lies in the files now, until this node has begun to go over.
void NodeKeys::read_next(KeyState& state) const {
  if (file_.empty()) {
    state.trouble = "an insecure cluster has no key to rotate";
    return;
  }
  const auto loaded = wire::load_key_ring(file_);
  if (!loaded) {
    state.trouble = text_of(loaded.error());
  } else if (ring_->next && loaded->ring.current.secret == ring_->next->secret) {
    state.next = name_of(*ring_->next);  // A node that shares the file has finished.
  } else if (!(loaded->ring.current.secret == ring_->current.secret)) {
    state.trouble = file_ + " has another key than this node uses";
  } else if (loaded->next_fault) {
    state.trouble = text_of(*loaded->next_fault);
  } else if (loaded->ring.next) {
    state.next = name_of(*loaded->ring.next);
  }
}

KeyState NodeKeys::state() {
  KeyState state{.current = name_of(ring_->current),
                 .next = {},
                 .held = false,
                 .goes_over = goes_over_,
                 .view_key_id = hooks_.view_key_id(),
                 .led_by = 0,
                 .since = 0,
                 .trouble = {}};
  if (ring_->next && (goes_over_ || state.view_key_id == ring_->next->id)) {
    state.next = name_of(*ring_->next);
  } else {
    read_next(state);
  }
  state.held = held() && name_of(*ring_->next) == state.next;
  for (const std::string* more : {&finish_trouble_, &plane_trouble_}) {
    if (state.trouble.empty()) state.trouble = *more;
  }
  std::ranges::replace(state.trouble, '\n', ' ');
  if (state.phase() != phase_) {
    phase_ = state.phase();
    since_ = hooks_.wall_s();
  }
  state.since = since_;
  return state;
}

Answer NodeKeys::hold(const KeyName& next) {
  if (name_of(ring_->current) == next) return {};  // It was over already.
  if (!ring_->next || name_of(*ring_->next) != next) {
    auto loaded = file_.empty() ? fail(Error{.observed = "an insecure cluster has no keys"})
                                : wire::load_key_ring(file_);
    if (!loaded) return no(text_of(loaded.error()));
    if (loaded->next_fault) return no(text_of(*loaded->next_fault));
    if (!(loaded->ring.current.secret == ring_->current.secret)) {
      return no(file_ + " has another key than this node uses");
    }
    if (!loaded->ring.next || name_of(*loaded->ring.next) != next) {
      return no("has no next key " + security::to_string(next));
    }
    if (goes_over_) return no("it goes over to another key");
    ring_ = std::make_shared<const wire::KeyRing>(std::move(loaded->ring));
    plane_holds_next_ = false;
    hooks_.changed(ring_);
    log("admin").info("holds the next key as well key={} fingerprint={}", next.id,
                      next.fingerprint);
    return {.kind = Answer::Kind::NotYet, .why = {}};
  }
  if (held() || !hooks_.data_plane_up()) return {};  // One that starts reads both.
  if (plane_trouble_.empty()) return {.kind = Answer::Kind::NotYet, .why = {}};
  hooks_.changed(ring_);  // Whoever asks again finds out whether it was mended.
  return no(std::exchange(plane_trouble_, {}));
}

Answer NodeKeys::go_over(const KeyName& next) {
  if (name_of(ring_->current) == next) return {};
  if (!ring_->next || name_of(*ring_->next) != next) return no("does not hold that key");
  if (hooks_.data_plane_up() && !held()) return {.kind = Answer::Kind::NotYet, .why = {}};
  if (!goes_over_) {
    goes_over_ = true;
    log("admin").info("goes over to the next key with the next view key={} fingerprint={}", next.id,
                      next.fingerprint);
    hooks_.go_by();
    note_phase();
  }
  return {};
}

void NodeKeys::on_data_plane_keys(bool good, std::string_view text) {
  plane_trouble_ = good ? std::string() : "its data plane: " + std::string(text.substr(0, 256));
  if (!good) return log("admin").warn("the data plane did not take its keys why=\"{}\"", text);
  plane_holds_next_ = false;
  while (ring_->next && text.size() >= kFingerprintBytes) {
    if (text.substr(0, kFingerprintBytes) == wire::fingerprint(*ring_->next)) {
      plane_holds_next_ = true;
    }
    text.remove_prefix(kFingerprintBytes);
  }
  hooks_.go_by();
  note_phase();
}

bool NodeKeys::finish() {
  if (!ring_->next || hooks_.view_key_id() != ring_->next->id) return true;
  const auto promoted = wire::promote_next_key(file_, wire::fingerprint(*ring_->next));
  if (!promoted) {
    if (finish_trouble_.empty()) log("admin").warn("{}", promoted.error().text());
    finish_trouble_ = text_of(promoted.error());
    return false;
  }
  finish_trouble_.clear();
  ring_ = std::make_shared<const wire::KeyRing>(ring_->next->clone(), std::nullopt);
  goes_over_ = plane_holds_next_ = false;
  hooks_.changed(ring_);
  hooks_.go_by();
  note_phase();
  log("admin").info("the old key is gone key={} fingerprint={}", ring_->current.id,
                    wire::fingerprint(ring_->current));
  return true;
}

}  // namespace phalanx::controlplane
