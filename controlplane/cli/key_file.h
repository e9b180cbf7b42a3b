#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// Makes a fresh cluster key and writes it to `path`, mode 0600, whole or not at all.
[[nodiscard]] Expected<void, Error> write_key_file(const std::string& path, std::uint32_t id,
                                                   bool overwrite);

/// Makes the key that comes after that of `path`, and writes it beside it. Returns its id.
[[nodiscard]] Expected<std::uint32_t, Error> write_next_key_file(const std::string& path,
                                                                 bool overwrite);

class Command;
struct Globals;
/// What `phalanx key` can do beside making keys.
void add_key_rotation(Command& key, const Globals& globals);

}  // namespace phalanx::cli
