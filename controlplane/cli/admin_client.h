#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/time_ns.h"

namespace phalanx::cli {

/// Asks the control plane whose sockets are in `directory`: one JSON object to admin.sock, one
/// back. Fails with NotRunning when nobody listens there, Permission, TimeOut, or what the answer's
/// "error" object says.
[[nodiscard]] Expected<nlohmann::json, Error> ask(const std::string& directory,
                                                  const nlohmann::json& request,
                                                  TimeNs patience = 5 * kSecond);

}  // namespace phalanx::cli
