#include <array>

#include "config/log_rules.h"
#include "config/schema.h"
#include "config/schema_values.h"
#include "config/value.h"

namespace phalanx::config {
namespace {

const std::array kKeys{
    Key{.name = "log.level",
        .kind = Kind::Choice,
        .fallback = "info",
        .choices = "error|warn|info|debug",
        .reloadable = true,
        .text = "How much the daemons say. All of it goes into the memory of the control plane "
                "(phalanx log show); to other targets goes what is at least as grave as this.",
        .store =
            [](Config& c, const Value& v) {
              c.log_level = parse_log_level(v.text).value_or(LogLevel::Info);
            },
        .read = [](const Config& c) { return words(to_string(c.log_level)); }},
    Key{.name = "log.targets",
        .kind = Kind::Text,
        .fallback = "stderr",
        .reloadable = true,
        .text = "Where the node's lines go beside the control plane's memory: some of stderr, "
                "syslog (the "
                "journal takes both) and file, or none.",
        .store = [](Config& c, const Value& v) { c.log.targets = v.text; },
        .read = [](const Config& c) { return words(c.log.targets); }},
    Key{.name = "log.file",
        .kind = Kind::Path,
        .fallback = "",
        .reloadable = true,
        .text = "The file of the target file; lines are added to it. phalanx log reopen opens it "
                "anew once it was moved away.",
        .store = [](Config& c, const Value& v) { c.log.file = v.text; },
        .read = [](const Config& c) { return words(c.log.file); }},
    Key{.name = "log.subsystems",
        .kind = Kind::Text,
        .fallback = "",
        .reloadable = true,
        .text = "What single subsystems do otherwise, SUBSYSTEM=LEVEL:TARGET+TARGET each: "
                "\"membership=debug quorum=warn:syslog+file map=:none\". Subsystems: phalanx log.",
        .store = [](Config& c, const Value& v) { c.log.subsystems = v.text; },
        .read = [](const Config& c) { return words(c.log.subsystems); }},
};

}  // namespace

std::span<const Key> log_keys() noexcept { return kKeys; }

}  // namespace phalanx::config
