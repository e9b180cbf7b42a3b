#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controlplane/cli/admin_client.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

std::string reload_text(const json& answer) {
  const bool dry = answer.value("dry_run", false);
  Table table({"node", "what changes"});
  for (const json& node : answer.value("nodes", json::array())) {
    table.row({escaped(node.value("name", "")),
               node.value("asked", false) ? escaped(node.value("changes", ""))
                                          : "not in the view: reads its file when it starts"});
  }
  return std::string(dry ? "nothing has changed yet: all nodes in the view could reload\n"
                         : "reloaded on all nodes in the view") +
         (dry ? "" : " in " + fixed(answer.value("took_ms", 0.0), 1) + " ms\n") + table.text();
}

}  // namespace

void add_reload(Command& root, const Globals& globals) {
  const auto dry = std::make_shared<bool>(false);
  root.add("reload",
           "Have all nodes in the view read their configuration anew: all of them or none.")
      .flag("--dry-run", *dry, "Only say what would change, and what needs a restart")
      .run([&globals, dry] {
        const auto instance = find_instance(globals);
        if (!instance) return report(instance.error(), globals);
        const auto answer = ask(instance->directory(), {{"command", "reload"}, {"dry_run", *dry}});
        if (!answer) return report(answer.error(), globals);
        std::fputs(globals.json ? (answer->dump() + "\n").c_str() : reload_text(*answer).c_str(),
                   stdout);
        return ExitCode::Fine;
      });
}

}  // namespace phalanx::cli
