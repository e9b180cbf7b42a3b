#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "tests/sim/recipes.h"

namespace phalanx::sim {

/// The command line of phalanx-sim.
struct Options {
  std::uint64_t first_seed = 1;
  std::uint64_t last_seed = 100;
  std::string recipe = "swarm";  ///< Or "all": every recipe by turns.
  RecipeOptions sizes;
  double seconds = 0;  ///< Stop after this much real time; 0: when the seeds are done.
  bool json = false;
  bool tapes = false;     ///< What lanes are given is kept on tapes and replayed.
  bool replicas = false;  ///< Every node has an application with a replicated state.
  bool gathers = false;   ///< Frames are read late, out of logs and streams; production seals.
  bool replay = false;
  bool keep_going = false;   ///< Count violations instead of stopping at the first.
  bool shrink = true;        ///< What fails is shrunk to the least of its script.
  bool shrink_only = false;  ///< The seed is known to fail: no more than that.
  std::optional<std::vector<std::string>> keep;  ///< Parts of the script; the others are left out.
  std::string replay_file;                       ///< A tape of a real node; nothing else is done.
  bool help = false;
};

/// What was wrong with the command line, in words.
[[nodiscard]] Expected<Options, Error> parse_options(int count, char** words);
[[nodiscard]] std::string usage();

}  // namespace phalanx::sim
