#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// Makes a fresh cluster key and writes it to `path`, mode 0600, whole or not at all.
[[nodiscard]] Expected<void, Error> write_key_file(const std::string& path, std::uint32_t id,
                                                   bool overwrite);

}  // namespace phalanx::cli
