#include "controlplane/daemon/log_orders.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "controlplane/daemon/log.h"

namespace phalanx::controlplane {
namespace {

using nlohmann::json;

Error usage(std::string attempted, std::string observed, std::string remedy = {}) {
  return {.code = ExitCode::Usage,
          .attempted = std::move(attempted),
          .observed = std::move(observed),
          .remedy = std::move(remedy)};
}

/// Missing: empty. Not a text: nothing.
std::optional<std::string> text_at(const json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end()) return std::string();
  if (!found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

bool is_subsystem(const std::string& name) {
  return name.empty() || std::ranges::binary_search(config::log_subsystems(), name);
}

json state_json() {
  const LogState state = log_state();
  json subsystems = json::array();
  for (const LogState::Subsystem& one : state.subsystems) {
    subsystems.push_back({{"subsystem", one.name},
                          {"level", config::to_string(one.level)},
                          {"targets", config::to_string(one.targets)},
                          {"lines", one.lines},
                          {"muted", one.muted}});
  }
  return {{"version", 1},
          {"file", state.file},
          {"lost", state.lost},
          {"memory", {{"lines", log_memory().lines()}, {"bytes", log_memory().bytes()}}},
          {"subsystems", std::move(subsystems)}};
}

Expected<json, Error> lines_json(const json& request, const std::string& subsystem,
                                 const std::string& level) {
  LogMemory::Filter filter{.subsystem = subsystem};
  if (const auto count = request.find("lines"); count != request.end()) {
    if (!count->is_number_unsigned() || count->get<std::uint64_t>() > LogMemory::kLinesMax) {
      return fail(usage("cannot show the log", "lines is no number up to 4096"));
    }
    filter.lines = count->get<std::size_t>();
  }
  if (!level.empty()) filter.level = *config::parse_log_level(level);
  return json{{"version", 1}, {"lines", log_memory().newest(filter)}};
}

}  // namespace

Expected<json, Error> carry_out_log_order(const json& request) {
  const auto order = text_at(request, "order");
  const auto subsystem = text_at(request, "subsystem");
  const auto level = text_at(request, "level");
  const auto targets = text_at(request, "targets");
  const std::string attempted = "cannot do this with the log";
  if (!order || !subsystem || !level || !targets) {
    return fail(usage(attempted, "order, subsystem, level and targets are texts"));
  }
  if (!is_subsystem(*subsystem)) {
    return fail(usage(attempted, "there is no subsystem " + *subsystem, "phalanx log names all"));
  }
  if (!level->empty() && !config::parse_log_level(*level)) {
    return fail(usage(attempted, "there is no level " + *level, "one of error warn info debug"));
  }
  if (order->empty()) return state_json();
  if (*order == "lines") return lines_json(request, *subsystem, *level);
  const std::string about = subsystem->empty() ? "all" : *subsystem;
  if (*order == "level" && !level->empty()) {
    set_log_level(*subsystem, *config::parse_log_level(*level));
    log("admin").info("log level changed until the next reload subsystem={} level={}", about,
                      *level);
    return state_json();
  }
  if (*order == "targets") {
    const auto wanted = config::parse_log_targets(*targets);
    if (!wanted) return fail(usage(attempted, "the list " + wanted.error()));
    if (const auto set = set_log_targets(*subsystem, *wanted); !set) return fail(set.error());
    log("admin").info("log targets changed until the next reload subsystem={} targets=\"{}\"",
                      about, config::to_string(*wanted));
    return state_json();
  }
  if (*order == "reopen") {
    if (const auto done = reopen_log(); !done) return fail(done.error());
    log("admin").info("log file opened anew file={}", log_state().file);
    return state_json();
  }
  return fail(usage(attempted, "unknown order; known: lines level targets reopen"));
}

}  // namespace phalanx::controlplane
