// The keys of [worker].

#include <array>

#include "config/schema.h"
#include "config/schema_values.h"

namespace phalanx::config {
namespace {

IdleStrategy idle_of(const Value& v) {
  if (v.text == "busy") return IdleStrategy::Busy;
  return v.text == "sleep" ? IdleStrategy::Sleep : IdleStrategy::Adaptive;
}

const std::array kKeys{
    Key{.name = "worker.idle",
        .kind = Kind::Choice,
        .fallback = "adaptive",
        .choices = "busy|adaptive|sleep",
        .text = "What a worker does when there is nothing to do: busy polls for ever (a core of "
                "its own), adaptive yields and then sleeps until woken, sleep sleeps at once.",
        .store = [](Config& c, const Value& v) { c.worker.idle = idle_of(v); },
        .read = [](const Config& c) { return words(to_string(c.worker.idle)); }},
    Key{.name = "worker.cpu",
        .kind = Kind::Integer,
        .fallback = "-1",
        .min = -1,
        .max = 1023,
        .text = "Core that the worker is pinned to; -1: wherever the scheduler puts it.",
        .store =
            [](Config& c, const Value& v) {
              c.worker.cpu.reset();
              if (v.number >= 0) c.worker.cpu = as<std::uint32_t>(v);
            },
        .read =
            [](const Config& c) {
              return c.worker.cpu ? number(*c.worker.cpu) : Value{.number = -1};
            }},
    Key{.name = "worker.count",
        .kind = Kind::Integer,
        .fallback = "1",
        .min = 1,
        .max = static_cast<std::int64_t>(kLanesMax),
        .cluster_part = true,
        .text = "Threads that share the lanes: lane l is turned by worker l mod count, on every "
                "node. Each has a port of its own, the node's and those above it, and a pair of "
                "rings with each client. At most one a lane, and one a core of the host.",
        .store = [](Config& c, const Value& v) { c.worker.count = as<std::uint32_t>(v); },
        .read = [](const Config& c) { return number(c.worker.count); }},
    Key{.name = "worker.cpus",
        .kind = Kind::Ids,
        .fallback = "[]",
        .text = "Core that each of several workers is pinned to, in their order; []: wherever the "
                "scheduler puts them.",
        .store = [](Config& c, const Value& v) { c.worker.cpus = v.ids; },
        .read = [](const Config& c) { return Value{.ids = c.worker.cpus}; }},
    Key{.name = "worker.scheduling",
        .kind = Kind::Choice,
        .fallback = "normal",
        .choices = "normal|realtime",
        .text =
            "realtime (SCHED_RR) puts the worker before all ordinary programs of its core, also "
            "while it polls: round trips stay short beside other load. Needs root, "
            "LimitRTPRIO=1 or CAP_SYS_NICE.",
        .store = [](Config& c, const Value& v) { c.worker.realtime = v.text == "realtime"; },
        .read = [](const Config& c) { return words(c.worker.realtime ? "realtime" : "normal"); }},
};

}  // namespace

std::span<const Key> worker_keys() noexcept { return kKeys; }

}  // namespace phalanx::config
