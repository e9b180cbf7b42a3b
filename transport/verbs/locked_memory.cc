#include "transport/verbs/locked_memory.h"

#include <string>

#include "transport/verbs/calls.h"

namespace phalanx::transport::verbs {
namespace {

std::string kib(std::uint64_t bytes) { return std::to_string((bytes + 1023) >> 10) + " KiB"; }

std::string attempted(const Registration& registration) {
  return "cannot register " + kib(registration.bytes) + " of " + registration.what;
}

/// What it comes to in all, and what is allowed.
std::string sum(const Registration& registration) {
  const std::uint64_t most = calls::lockable_bytes();
  std::string limit =
      "RLIMIT_MEMLOCK is " + (most == calls::kUnlimited ? std::string("unlimited") : kib(most));
  if (registration.before == 0) return limit;
  return "with what is registered already that is " +
         kib(registration.bytes + registration.before) + "; " + limit;
}

std::string remedy(const Registration& registration) {
  return std::string(
             "allow more locked memory: LimitMEMLOCK=infinity in the unit, or ulimit -l "
             "unlimited") +
         registration.or_else;
}

}  // namespace

std::optional<Error> check_lockable(const Registration& registration) {
  if (registration.bytes + registration.before <= calls::lockable_bytes()) return std::nullopt;
  return Error{.code = ExitCode::Usage,
               .attempted = attempted(registration),
               .observed = sum(registration),
               .remedy = remedy(registration)};
}

Error registration_refused(const Registration& registration, int error) {
  Error told =
      system_error(attempted(registration), "ibv_reg_mr", error, remedy(registration).c_str());
  told.observed += "; " + sum(registration);
  return told;
}

}  // namespace phalanx::transport::verbs
