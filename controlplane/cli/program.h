#pragma once

#include <string>

#include "config/config.h"
#include "config/load.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::cli {

/// Options that every command takes, before or after its name.
struct Globals {
  std::string config;    ///< --config FILE; empty: not given.
  std::string instance;  ///< --instance NAME; empty: not given.
  bool json = false;
};

class Command;

/// Each registers one command under `root`. `globals` outlives the run.
void add_config(Command& root, const Globals& globals);
void add_demo(Command& root, const Globals& globals);
void add_groups(Command& root, const Globals& globals);
void add_guard(Command& root, const Globals& globals);
void add_key(Command& root, const Globals& globals);
void add_leave(Command& root, const Globals& globals);
void add_log(Command& root, const Globals& globals);
void add_map(Command& root, const Globals& globals);
void add_node(Command& root, const Globals& globals);
void add_pub(Command& root, const Globals& globals);
void add_quorum(Command& root, const Globals& globals);
void add_recorder(Command& root, const Globals& globals);
void add_reload(Command& root, const Globals& globals);
void add_status(Command& root, const Globals& globals);
void add_sub(Command& root, const Globals& globals);
void add_supervise(Command& root, const Globals& globals);
void add_top(Command& root, const Globals& globals);
void add_version(Command& root, const Globals& globals);
void add_why(Command& root, const Globals& globals);

/// Where the sockets of an instance are: RUNTIME_DIRECTORY/NAME/.
struct Instance {
  std::string runtime_directory;
  std::string name;

  [[nodiscard]] std::string directory() const { return runtime_directory + "/" + name; }
};

/// --config FILE, or the default.
[[nodiscard]] std::string config_file(const Globals& globals);

/// The instance asked for; reads a configuration only when one was named.
[[nodiscard]] Expected<Instance, Error> find_instance(const Globals& globals);

/// Prints the error on standard error, as JSON on standard output when that was asked for, and
/// returns its exit code.
ExitCode report(const Error& error, const Globals& globals);

/// Prints the errors of a configuration, one a line, or as JSON; for all commands that read one.
ExitCode report_errors(const config::ConfigErrors& errors, const Globals& globals);

/// Flushes standard output. What could not be written is told, and then nothing is fine.
ExitCode after_output(ExitCode code);

}  // namespace phalanx::cli
