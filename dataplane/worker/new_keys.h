#pragma once

#include <optional>
#include <string>

#include "transport/wire/key_ring.h"

namespace phalanx::worker {

/// The cluster keys as the main thread has just read them, on their way to the worker.
struct NewKeys {
  std::optional<wire::KeyRing> ring;  ///< Empty: they could not be read.
  std::string
      text;  ///< The fingerprints of ring's keys in a row; without a ring, why there is none.
};

}  // namespace phalanx::worker
