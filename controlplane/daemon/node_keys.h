#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/security/rotation.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/key_ring.h"

namespace phalanx::controlplane {

/// The cluster keys of this node, and how far it is in going over to the next. The files are what
/// lasts: who starts with two of them holds both. One thread.
class NodeKeys {
 public:
  struct Hooks {
    /// The control plane's seals hold these from now on; the data plane is to read its files again.
    std::function<void(const std::shared_ptr<const wire::KeyRing>&)> changed;
    /// The membership is to go by these ids.
    std::function<void()> go_by;
    std::function<std::uint32_t()> view_key_id;  ///< 0: no view.
    std::function<bool()> data_plane_up;
    std::function<std::uint64_t()> wall_s;  ///< Seconds since 1970.
  };

  /// `file`: empty in an `insecure` cluster, which has one key that is no secret.
  NodeKeys(std::string file, wire::KeyRing ring, std::string trouble, Hooks hooks);

  /// Shared with the seals, so that there is one copy of each key.
  [[nodiscard]] const std::shared_ptr<const wire::KeyRing>& ring() const noexcept { return ring_; }
  [[nodiscard]] bool goes_over() const noexcept { return goes_over_; }
  /// Data plane and control plane hold the next key as well.
  [[nodiscard]] bool held() const noexcept { return ring_->next && plane_holds_next_; }

  /// For security::Rotation.
  [[nodiscard]] security::KeyState state();
  [[nodiscard]] security::Rotation::Answer hold(const security::KeyName& next);
  [[nodiscard]] security::Rotation::Answer go_over(const security::KeyName& next);

  /// A new data plane: what it holds is not known.
  void on_data_plane() noexcept { plane_holds_next_ = false; }
  /// What it says it holds: fingerprints in a row, or why it has read nothing.
  void on_data_plane_keys(bool good, std::string_view text);
  /// Gives the old key up once the view uses the next. False: it should, but cannot; try again.
  bool finish();

 private:
  void read_next(security::KeyState& state) const;
  void note_phase() { (void)state(); }

  std::string file_;
  std::shared_ptr<const wire::KeyRing> ring_;
  Hooks hooks_;
  bool plane_holds_next_ = false;
  std::string plane_trouble_;
  bool goes_over_ = false;
  std::string file_trouble_;
  std::string finish_trouble_;
  security::KeyPhase phase_ = security::KeyPhase::OneKey;
  std::uint64_t since_ = 0;
};

[[nodiscard]] security::KeyName name_of(const wire::ClusterKey& key);

}  // namespace phalanx::controlplane
