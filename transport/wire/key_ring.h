#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/wire/keys.h"

namespace phalanx::wire {

/// The cluster keys of a node: one, or two while they are rotated.
struct KeyRing {
  KeyRing(ClusterKey key, std::optional<ClusterKey> other) noexcept
      : current(std::move(key)), next(std::move(other)) {}

  ClusterKey current;
  std::optional<ClusterKey> next;  ///< Of a higher id, and another secret.

  [[nodiscard]] KeyRing clone() const {
    return {current.clone(), next ? std::optional(next->clone()) : std::nullopt};
  }
  [[nodiscard]] bool holds(std::uint32_t id) const noexcept {
    return current.id == id || (next && next->id == id);
  }
};

/// Where the next key lies until it takes the place of the one at `path`: beside it.
[[nodiscard]] std::string next_key_path(const std::string& path);

struct LoadedRing {
  KeyRing ring;
  std::optional<Error> next_fault;  ///< There is a next key, but it cannot be used: ring has none.
};
/// Reads `path`, and the next key if there is one. Fails for the first only: what lies beside it
/// must not keep a node from starting.
[[nodiscard]] Expected<LoadedRing, Error> load_key_ring(const std::string& path);

/// Puts the next key, which must have this fingerprint, in the place of the one at `path`, durably.
/// Nothing to do where that one is there already: nodes of one host may share a file.
[[nodiscard]] Expected<void, Error> promote_next_key(const std::string& path,
                                                     const std::string& wanted);

}  // namespace phalanx::wire
