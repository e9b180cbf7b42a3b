#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/load.h"

namespace phalanx::config {

struct Place {
  std::uint32_t line = 0;  ///< From 1; 0: not in the file.
  std::uint32_t column = 0;
};

/// A configuration on its way from text to Config: what was read, where it stood, what was wrong.
struct Draft {
  Config config;
  std::map<std::string, Place, std::less<>> places;  ///< "lane.log", "cluster.nodes[0].id".
  std::vector<ConfigError> errors;

  [[nodiscard]] bool has(std::string_view name) const { return places.contains(name); }
  /// Where the first of `names` that is in the file stands.
  [[nodiscard]] Place place(std::initializer_list<std::string_view> names) const;
  void error(Place place, std::string what, std::string allowed, std::string remedy);
};

/// "cluster.nodes[2]" and a key of it: a name of a place.
[[nodiscard]] std::string entry(std::size_t index, std::string_view key = {});

/// Fills the draft from text: syntax, unknown keys, types, units and ranges of single keys.
void read_toml(std::string_view text, Draft& draft);

/// The default of every key.
void set_defaults(Config& config);

/// Finds out which node this is, completes the draft, and checks what single keys cannot show.
void complete(const LoadOptions& options, Draft& draft);

/// Sizes that must fit one another.
void check_sizes(Draft& draft);
void check_clients(Draft& draft);

/// Keys of one kind of transport that the kind in use would ignore, though they matter.
void check_transport(Draft& draft);

/// A second network: of all nodes or of none, and a device of its own.
void check_second(Draft& draft);

/// Groups and their lanes: lanes that there are, and not too many groups.
void check_lane_groups(Draft& draft);

/// Workers that share the lanes: one a lane at most, a core and a port for each.
void check_workers(Draft& draft);

/// Where phalanx-metrics listens: nobody outside this host may reach it.
void check_metrics(Draft& draft);

/// Vote settings that can split the cluster, or mean nothing together.
void check_quorum(Draft& draft);

/// Targets and subsystems of the log.
void check_log(Draft& draft);

/// The key file: there, regular, readable by its owner only.
void check_key_file(Draft& draft);

}  // namespace phalanx::config
