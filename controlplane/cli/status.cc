#include <cstdio>
#include <nlohmann/json.hpp>

#include "controlplane/cli/admin_client.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"
#include "controlplane/cli/status_text.h"
#include "controlplane/watch/health.h"
#include "controlplane/watch/watcher.h"

namespace phalanx::cli {

namespace {

/// By the socket that answers whoever may attach, not administrators only.
Expected<nlohmann::json, Error> status_of(const std::string& directory) {
  const auto seen = watch::look(directory, 5 * kSecond);
  if (!seen) return fail(seen.error());
  return watch::parse_status(seen->status);
}

}  // namespace

void add_status(Command& root, const Globals& globals) {
  root.add("status",
           "Say whether all is well with a node and its cluster. Exit 4 when degraded, 3 "
           "when its control plane is not running.")
      .run([&globals] {
        const auto instance = find_instance(globals);
        if (!instance) return report(instance.error(), globals);
        auto answer = status_of(instance->directory());
        if (!answer) return report(answer.error(), globals);
        const bool well = is_well(*answer);
        if (globals.json) (*answer)["conditions"] = watch::conditions_json(*answer);
        const std::string text = globals.json ? answer->dump() + "\n" : status_text(*answer);
        std::fputs(text.c_str(), stdout);
        return well ? ExitCode::Fine : ExitCode::Degraded;
      });
}

void add_groups(Command& root, const Globals& globals) {
  root.add("groups", "List the groups of a node and their members.").run([&globals] {
    const auto instance = find_instance(globals);
    if (!instance) return report(instance.error(), globals);
    const auto answer = ask(instance->directory(), {{"command", "groups"}});
    if (!answer) return report(answer.error(), globals);
    const std::string text = globals.json ? answer->dump() + "\n" : groups_text(*answer);
    std::fputs(text.c_str(), stdout);
    return ExitCode::Fine;
  });
}

}  // namespace phalanx::cli
