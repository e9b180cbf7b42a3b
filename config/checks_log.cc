#include "config/draft.h"
#include "config/log_rules.h"

namespace phalanx::config {

void check_log(Draft& draft) {
  const LogSection& log = draft.config.log;
  const auto targets = parse_log_targets(log.targets);
  if (!targets) {
    draft.error(draft.place({"log.targets"}), "log.targets " + targets.error(),
                "some of stderr, syslog and file, or none", "log.targets = \"stderr\"");
  }
  const auto rules = parse_log_rules(log.subsystems);
  if (!rules) {
    draft.error(draft.place({"log.subsystems"}), "log.subsystems " + rules.error(),
                "SUBSYSTEM=LEVEL:TARGET+TARGET, a space between two",
                "log.subsystems = \"membership=debug\"");
  }
  bool wants_file = targets && targets->has(LogTargets::kFile);
  if (rules) {
    for (const LogRule& rule : *rules) {
      wants_file = wants_file || (rule.targets && rule.targets->has(LogTargets::kFile));
    }
  }
  if (wants_file && log.file.empty()) {
    draft.error(draft.place({"log.targets", "log.subsystems"}),
                "the target file is wanted, but log.file is empty", "an absolute path, in quotes",
                "log.file = \"/var/log/phalanx.log\"");
  }
}

}  // namespace phalanx::config
