#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "ipc/base/expected.h"

namespace phalanx::config {

/// One thing that is wrong with a configuration file, told so that the reader can mend it.
struct ConfigError {
  std::string file;
  std::uint32_t line = 0;    ///< From 1; 0 when the fault is that something is not there.
  std::uint32_t column = 0;  ///< From 1.
  std::string what;          ///< "unknown key client.rings".
  std::string allowed;       ///< "64KiB to 64MiB"; may be empty.
  std::string remedy;        ///< "did you mean client.ring?"; may be empty.

  /// "FILE:LINE:COLUMN: error: WHAT\n  allowed: ALLOWED\n  remedy:  REMEDY\n".
  [[nodiscard]] std::string text() const;
};

/// All that is wrong with one file, in the order of its lines. Never empty.
struct ConfigErrors {
  std::vector<ConfigError> errors;

  [[nodiscard]] std::string text() const;
};

struct LoadOptions {
  /// From --instance; empty when not given. Where the file has no node.id it names the node: the
  /// [[cluster.nodes]] entry of that name.
  std::string instance;
  /// Look at the key file: it must be there and be readable by nobody else. Off for `config check`
  /// of another host's file.
  bool check_key_file = true;
  /// When nothing says which node this is, take the first: for `config check` of a shared file.
  bool any_node = false;
  /// The text comes from standard input; the path only names it. (Of /dev/stdin the kernel keeps a
  /// program with capabilities.)
  bool from_standard_input = false;
};

/// Where the daemons and the CLI look when no --config is given.
inline constexpr std::string_view kDefaultConfigFile = "/etc/phalanx/phalanx.toml";

/// Reads, checks and completes a file. Reports every error of it at once.
[[nodiscard]] Expected<Config, ConfigErrors> load(const std::string& path,
                                                  const LoadOptions& options = {});

/// The same for text that is already in memory; `name` stands for the file in messages.
[[nodiscard]] Expected<Config, ConfigErrors> parse(std::string_view text, const std::string& name,
                                                   const LoadOptions& options = {});

}  // namespace phalanx::config
