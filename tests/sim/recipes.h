#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tests/sim/scenario.h"

namespace phalanx::sim {

struct RecipeInfo {
  std::string_view name;
  std::string_view text;
};

/// All recipes, the aimed ones first; "swarm" mixes random subsets of them.
[[nodiscard]] std::span<const RecipeInfo> recipes() noexcept;

struct RecipeOptions {
  std::size_t nodes = 0;  ///< 0: the recipe's choice.
  std::size_t lanes = 0;  ///< 0: the recipe's choice.
  TimeNs faulty_for = 0;  ///< 0: the recipe's choice.
};

/// The history that (recipe, seed, options) name; "a+b" is both recipes in one history, but for the
/// swarms. Empty when there is no such recipe.
[[nodiscard]] std::optional<Scenario> make_scenario(std::string_view recipe, std::uint64_t seed,
                                                    const RecipeOptions& options);

}  // namespace phalanx::sim
