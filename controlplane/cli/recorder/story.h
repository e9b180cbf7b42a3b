#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "controlplane/cli/recorder/noted.h"

namespace phalanx::cli {

/// The last view change that a node went through or fell out of, told from all recorders at hand.
struct Story {
  struct Line {
    std::uint64_t wall_ns = 0;
    NodeId by = 0;
    std::string text;
  };
  struct Loss {
    NodeId node = 0;
    std::string rule;  ///< Of the first member that told it.
    NodeId told_by = 0;
  };
  struct Install {
    NodeId node = 0;
    std::uint64_t wall_ns = 0;
    std::uint64_t took_ns = 0;
  };
  std::uint64_t view = 0;    ///< 0: no view change is on record.
  std::uint64_t before = 0;  ///< The view that it took the place of; 0: not on record.
  std::string members;       ///< "n1 n2".
  std::vector<Loss> left;
  NodeId silent = 0;  ///< Who was first to fall silent; 0: nobody did.
  std::uint64_t silent_since_ns = 0;
  NodeId silent_to = 0;  ///< Who noticed.
  std::vector<Install> installs;
  std::vector<Line> lines;  ///< By time.
};

/// `all` in any order. `about` = 0: the last view change at all.
[[nodiscard]] Story story_of(std::vector<Noted> all, NodeId about);
[[nodiscard]] std::string text_of(const Story& story);
[[nodiscard]] nlohmann::json json_of(const Story& story);

}  // namespace phalanx::cli
