#include "transport/verbs/locked_memory.h"

#include <atomic>
#include <string>

#include "transport/verbs/calls.h"

namespace phalanx::transport::verbs {
namespace {

std::atomic<std::uint64_t> registered{0};

std::string kib(std::uint64_t bytes) { return std::to_string((bytes + 1023) >> 10) + " KiB"; }

std::string attempted(const Registration& registration) {
  return "cannot register " + kib(registration.bytes) + " of " + registration.what;
}

/// What it comes to in all, and what is allowed.
std::string sum(const Registration& registration) {
  const std::uint64_t most = calls::lockable_bytes();
  std::string limit =
      "RLIMIT_MEMLOCK is " + (most == calls::kUnlimited ? std::string("unlimited") : kib(most));
  if (registered == 0) return limit;
  return "with what is registered already that is " + kib(registration.bytes + registered) + "; " +
         limit;
}

std::string remedy(const Registration& registration) {
  return std::string(
             "allow more locked memory: LimitMEMLOCK=infinity in the unit, or ulimit -l "
             "unlimited") +
         registration.or_else;
}

}  // namespace

void count_registered(std::uint64_t bytes) noexcept { registered += bytes; }
void count_released(std::uint64_t bytes) noexcept { registered -= bytes; }

std::optional<Error> check_lockable(const Registration& registration) {
  if (registration.bytes + registered <= calls::lockable_bytes()) return std::nullopt;
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
