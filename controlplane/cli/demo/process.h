#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/time_ns.h"

namespace phalanx::cli {

/// How a child of the demo is started.
struct SpawnOptions {
  std::string program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  ///< "NAME=VALUE", beside our own.
  int network = -1;                      ///< A network namespace to start in, or -1.
  int keep_fd = -1;                      ///< A descriptor the child keeps, or -1.
  std::string log;                       ///< Its standard output and error; empty: none.
};

/// Starts it in a process group of its own (Ctrl-C is ours to handle); it dies with us.
[[nodiscard]] Expected<pid_t, Error> spawn(const SpawnOptions& options);

/// True once the child has ended; collects it.
[[nodiscard]] bool has_ended(pid_t pid);

/// What one process has used and holds, read from /proc. Zero when it is gone.
struct Usage {
  std::uint64_t cpu_ns = 0;  ///< All threads, from the scheduler's accounting.
  std::uint64_t rss_bytes = 0;
};
[[nodiscard]] Usage usage_of(pid_t pid);

/// The child of `parent` whose program is `name`; 0: none.
[[nodiscard]] pid_t find_child(pid_t parent, const std::string& name);

/// This program's own file, and a program beside it or in a neighbouring folder of a build tree.
[[nodiscard]] std::string own_program();
/// What to type for this program: its bare name when $PATH leads to this very file.
[[nodiscard]] std::string own_command();
[[nodiscard]] std::string find_program(const std::string& name, const std::string& build_folder);

}  // namespace phalanx::cli
