#include "controlplane/cli/program.h"

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/load.h"
#include "controlplane/json_text.h"

namespace phalanx::cli {

std::string config_file(const Globals& globals) {
  return globals.config.empty() ? std::string(config::kDefaultConfigFile) : globals.config;
}

Expected<Instance, Error> find_instance(const Globals& globals) {
  if (globals.config.empty()) {
    return Instance{.runtime_directory = config::default_runtime_directory(),
                    .name = globals.instance.empty() ? "default" : globals.instance};
  }
  const auto loaded =
      config::load(globals.config, {.instance = globals.instance, .check_key_file = false});
  if (loaded) return Instance{loaded->node.runtime_directory, loaded->node.instance};
  return fail(Error{.code = ExitCode::Usage,
                    .attempted = "the configuration " + globals.config + " has errors",
                    .observed = loaded.error().errors.front().what,
                    .remedy = "phalanx config check " + globals.config});
}

ExitCode report(const Error& error, const Globals& globals) {
  std::fputs(error.text().c_str(), stderr);
  if (globals.json) {
    const nlohmann::json out = {{"version", 1},
                                {"error",
                                 {{"code", static_cast<int>(error.code)},
                                  {"attempted", error.attempted},
                                  {"observed", error.observed},
                                  {"remedy", error.remedy}}}};
    std::printf("%s\n", json_text(out).c_str());
  }
  return error.code;
}

ExitCode report_errors(const config::ConfigErrors& errors, const Globals& globals) {
  if (!globals.json) {
    std::fputs(errors.text().c_str(), stderr);
    return ExitCode::Usage;
  }
  nlohmann::json list = nlohmann::json::array();
  for (const config::ConfigError& error : errors.errors) {
    list.push_back({{"file", error.file},
                    {"line", error.line},
                    {"column", error.column},
                    {"what", error.what},
                    {"allowed", error.allowed},
                    {"remedy", error.remedy}});
  }
  const nlohmann::json out = {{"version", 1}, {"ok", false}, {"errors", list}};
  std::printf("%s\n", json_text(out).c_str());
  return ExitCode::Usage;
}

ExitCode after_output(ExitCode code) {
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (written || code != ExitCode::Fine) return code;
  const Error error = system_error("cannot write standard output", "write", errno,
                                   "is the disk full, or was it closed?");
  std::fputs(error.text().c_str(), stderr);
  return error.code;
}

}  // namespace phalanx::cli
