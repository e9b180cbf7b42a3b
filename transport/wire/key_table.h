#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/aead.h"
#include "transport/wire/keys.h"
#include "transport/wire/replay_window.h"

namespace phalanx::wire {

/// What a peer's key opens.
enum class KeyUse : std::uint8_t {
  View,      ///< Data frames of the installed view.
  NextView,  ///< Data frames of the view that is being made; see KeyTable::prepare().
  Boot,      ///< Control frames.
};

/// A peer's key, with what was taken under it.
struct PeerKey {
  Member peer;
  std::uint32_t tag = 0;
  std::uint32_t key_id = 0;  ///< Of the cluster key that it was derived from.
  KeyUse use = KeyUse::Boot;
  std::uint64_t used_at = 0;  ///< Of KeyTable::touch().
  AeadKey key;
  std::vector<ReplayWindow> windows;  ///< One a lane.
};

/// Every key of one worker: its own, those of the installed view (of the old view while a view
/// changes), and the boot keys learnt from control frames, a bounded number a configured node. One
/// thread. Changing it is cold and allocates; looking up is not. Own counters never restart, so no
/// (key, nonce) comes twice whatever the order of calls.
///
/// It holds one cluster key, or two while they are rotated: then it opens what either sealed. Data
/// is sealed with the key that the view was agreed on with; control frames for a peer with the
/// newest that the peer ever used, since that one it has for certain; hellos to all with both.
class KeyTable {
 public:
  struct Config {
    Cipher cipher = Cipher::OpenSsl;
    Member self;
    LaneId lanes = 1;
    std::vector<NodeId> nodes;  ///< Configured: nobody else's boot key is learnt.
  };

  KeyTable(Config config, ClusterKey key, std::optional<ClusterKey> next = {});

  /// Holds these keys from now on, one or two of different id, by growing id. What was derived for
  /// the views stays. The boot keys of peers under a cluster key that goes are forgotten.
  void hold(ClusterKey key, std::optional<ClusterKey> next);
  [[nodiscard]] bool holds(std::uint32_t key_id) const noexcept;
  /// How many cluster keys it holds: 1 or 2.
  [[nodiscard]] std::size_t held() const noexcept { return next_ ? 2 : 1; }

  /// From now on data is sealed for this view, under this cluster key, and opened from its members.
  /// Keeps what prepare() made for the same view; the keys of the view before go.
  void install(const ViewId& view, std::span<const Member> members, std::uint32_t key_id);
  void install(const ViewId& view, std::span<const Member> members) {
    install(view, members, current_.key.id);
  }
  /// Data of this view is recognised as KeyUse::NextView, beside that of the installed one.
  void prepare(const ViewId& view, std::span<const Member> members, std::uint32_t key_id);
  void prepare(const ViewId& view, std::span<const Member> members) {
    prepare(view, members, current_.key.id);
  }

  /// The key of a data frame, or nullptr. Valid until the table changes.
  [[nodiscard]] PeerKey* find_view(NodeId sender, std::uint32_t tag) noexcept {
    return find(sender, tag, false);
  }
  [[nodiscard]] PeerKey* find_boot(NodeId sender, std::uint32_t tag) noexcept {
    return find(sender, tag, true);
  }
  /// The key of a sender whose boot id was not seen before, not yet in the table: nullptr when its
  /// tag is another (another cluster), the node is not configured, or too many strangers came
  /// lately. `key_id`: low byte of the cluster key's. Valid until the next call.
  [[nodiscard]] PeerKey* guess_boot(const Member& sender, std::uint32_t tag, std::uint8_t key_id);
  /// Keeps the last guess, since a frame opened with it. Returns its place in the table.
  PeerKey* learn_guess();
  /// A frame opened with this key: it is in use, so newer strangers do not take its place.
  void touch(PeerKey& key) noexcept { key.used_at = ++clock_; }
  /// Allows as many new strangers as the time can bear; turns that are short allow no more of them.
  void begin_turn(TimeNs now) noexcept;

  struct SealKey {
    const AeadKey* key = nullptr;
    std::uint32_t tag = 0;
    std::uint32_t key_id = 0;  ///< Of the cluster key.
  };
  [[nodiscard]] bool has_view() const noexcept { return !view_.is_none(); }
  [[nodiscard]] SealKey view_seal() const noexcept {
    return {&own_view_, own_view_tag_, view_key_id_};
  }
  /// For everybody: one for each of held().
  [[nodiscard]] SealKey boot_seal(std::size_t which) const noexcept {
    return (which == 0 ? current_ : *next_).seal();
  }
  /// For this incarnation of a peer.
  [[nodiscard]] SealKey boot_seal(const BootId& receiver) const noexcept;
  /// The next counter of a nonce space; from 1.
  [[nodiscard]] std::uint64_t next_counter(std::uint32_t space) noexcept {
    return ++counters_[space];
  }

  [[nodiscard]] const Member& self() const noexcept { return config_.self; }
  [[nodiscard]] LaneId lanes() const noexcept { return config_.lanes; }
  [[nodiscard]] bool is_configured(NodeId node) const noexcept;

 private:
  /// A cluster key, and what this node seals control frames with under it.
  struct Held {
    ClusterKey key;
    AeadKey own_boot;
    std::uint32_t own_boot_tag = 0;

    [[nodiscard]] SealKey seal() const noexcept { return {&own_boot, own_boot_tag, key.id}; }
  };

  static constexpr std::size_t kBootsPerNode = 3;  ///< Under each cluster key.
  static constexpr std::size_t kSlots = 1024;      ///< At least twice the keys there can be.
  static constexpr int kGuesses = 8;               ///< In so long:
  static constexpr TimeNs kGuessesPeriod = 5 * kMillisecond;

  [[nodiscard]] static std::size_t slot_of(NodeId sender, std::uint32_t tag) noexcept {
    return ((sender * 0x9e3779b1U) ^ tag) % kSlots;
  }
  [[nodiscard]] PeerKey* find(NodeId sender, std::uint32_t tag, bool boot) noexcept;
  void add_view_keys(const ViewId& view, std::span<const Member> members, std::uint32_t key_id,
                     KeyUse use);
  void drop(KeyUse use);
  void index_again() noexcept;
  [[nodiscard]] PeerKey make(const Member& peer, const DerivedKey& key, std::uint32_t key_id,
                             KeyUse use) const;
  [[nodiscard]] Held make_held(ClusterKey key) const;
  [[nodiscard]] const ClusterKey& key_of(std::uint32_t id) const noexcept;

  Config config_;
  Held current_;
  std::optional<Held> next_;
  ViewId view_;
  ViewId next_view_;
  AeadKey own_view_;
  std::uint32_t own_view_tag_ = 0;
  std::uint32_t view_key_id_ = 0;
  std::array<std::uint64_t, 2 * kLanesMax> counters_{};
  std::vector<std::unique_ptr<PeerKey>> keys_;
  std::array<PeerKey*, kSlots> slots_{};
  std::unique_ptr<PeerKey> guess_;
  std::uint64_t clock_ = 0;
  int guesses_left_ = kGuesses;
  TimeNs refilled_at_ = 0;
};

}  // namespace phalanx::wire
