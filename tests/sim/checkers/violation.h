#pragma once

#include <string>
#include <utility>

namespace phalanx::sim {

/// A guarantee that did not hold. Thrown by checkers, caught around a history: test code, cold.
struct Violation {
  std::string guarantee;  ///< "G2 virtual synchrony".
  std::string what;
};

[[noreturn]] inline void violated(const char* guarantee, std::string what) {
  throw Violation{guarantee, std::move(what)};
}

}  // namespace phalanx::sim
